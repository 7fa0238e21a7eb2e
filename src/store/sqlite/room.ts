import type { DatabaseSync } from 'node:sqlite'

/** The bound of the file, and the room beyond it that a sweep may use. */
export interface Room {
  /**
   * Does the work with some room beyond the bound. A sweep writes before it frees space, so without
   * this room it could not begin in a full file.
   */
  withSpare<T>(work: () => T): T
  /** Calls `onNearlyFull` once each time the used part of the file rises above 0.9 of its bound. */
  check(): void
}

interface RoomOptions {
  readonly maxBytes: number
  /** Called with the bytes that are used. */
  readonly onNearlyFull: (usedBytes: number) => void
}

/** 1 MiB, which is enough for many slices of a sweep. */
const SPARE_PAGES = 256
const NEARLY = 0.9

export const createRoom = (db: DatabaseSync, { maxBytes, onNearlyFull }: RoomOptions): Room => {
  const pageBytes = Number(db.prepare('pragma page_size').get()?.page_size)
  const maxPages = Math.ceil(maxBytes / pageBytes)
  const limit = (pages: number): void => db.exec(`pragma max_page_count = ${pages}`)
  const count = (name: 'page_count' | 'freelist_count'): number =>
    Number(db.prepare(`pragma ${name}`).get()?.[name])
  let isNearlyFull = false

  limit(maxPages)
  return {
    withSpare: (work) => {
      limit(maxPages + SPARE_PAGES)
      try {
        return work()
      } finally {
        limit(maxPages)
      }
    },
    check: () => {
      const usedPages = count('page_count') - count('freelist_count')
      const was = isNearlyFull
      isNearlyFull = usedPages > maxPages * NEARLY
      if (isNearlyFull && !was) onNearlyFull(usedPages * pageBytes)
    },
  }
}
