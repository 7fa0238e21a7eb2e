import type { DatabaseSync } from 'node:sqlite'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'

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
  readonly bounds?: Bounds | undefined
}

/** 1 MiB, which is enough for many slices of a sweep. */
const SPARE_PAGES = 256
const NEARLY = 0.9

export const createRoom = (
  db: DatabaseSync,
  { maxBytes, onNearlyFull, bounds = UNMEASURED }: RoomOptions,
): Room => {
  const pageBytes = Number(db.prepare('pragma page_size').get()?.page_size)
  const maxPages = Math.ceil(maxBytes / pageBytes)
  const limit = (pages: number): void => db.exec(`pragma max_page_count = ${pages}`)
  const count = (name: 'page_count' | 'freelist_count'): number =>
    Number(db.prepare(`pragma ${name}`).get()?.[name])
  const usedPages = (): number => count('page_count') - count('freelist_count')
  let isNearlyFull = false

  limit(maxPages)
  bounds('store-file', () => usedPages() / maxPages)
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
      const pages = usedPages()
      const was = isNearlyFull
      isNearlyFull = pages > maxPages * NEARLY
      if (isNearlyFull && !was) onNearlyFull(pages * pageBytes)
    },
  }
}
