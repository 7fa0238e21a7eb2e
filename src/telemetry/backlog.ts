import { createBlocks } from './blocks.ts'

/** Lines that wait to be written, with a bound in bytes and a count of the lines that it refused. */
export interface Backlog {
  /** Takes one line with its end. Refuses and counts it when there is no room. */
  add(line: string): void
  /** True when so much waits that a write is worth its cost. */
  readonly isBatch: boolean
  /**
   * What is to be written next. The same until `written` is called. Undefined when nothing waits, and when
   * less than a batch waits and nobody wants the rest.
   */
  next(): Buffer | undefined
  /**
   * Has `next` also return the lines that are no whole batch, once: lines that come after those wait
   * again.
   */
  wantRest(): void
  readonly isEmpty: boolean
  /** Notes that this many bytes of `next` were written. */
  written(bytes: number): void
  /** Drops the rest of a line whose beginning was written to a reader that has left. */
  dropHalfLine(): void
  /** Returns and forgets the number of lost lines, once half of the room is free. Otherwise 0. */
  takeLost(): number
  /** The used part of the room, 0 to 1. */
  usedPart(): number
  /** How many lines were lost since the start. */
  lostInAll(): number
}

const NEWLINE = 0x0a

export const createBacklog = (maxBytes: number, batchBytes: number): Backlog => {
  const blocks = createBlocks(batchBytes)
  let chunk: Buffer | undefined
  let wantsRest = false
  /** Whether the chunk begins in the middle of a line. */
  let isHalf = false
  /** The bytes of the blocks and of the chunk. */
  let waiting = 0
  let lost = 0
  let lostInAll = 0
  /** True from a refused line until half of the room is free, so that one gap is one notice. */
  let isFull = false

  const lose = (): void => {
    lost += 1
    lostInAll += 1
  }

  const advance = (bytes: number): void => {
    waiting -= bytes
    isHalf = chunk !== undefined && bytes < chunk.length && chunk[bytes - 1] !== NEWLINE
    if (chunk === undefined) return
    if (bytes < chunk.length) {
      chunk = chunk.subarray(bytes)
    } else {
      blocks.giveBack(chunk)
      chunk = undefined
    }
  }

  return {
    add: (line) => {
      const bytes = isFull ? 0 : blocks.add(line, maxBytes - waiting)
      waiting += bytes
      if (bytes > 0) return
      isFull = true
      lose()
    },
    get isBatch() {
      return blocks.hasWhole
    },
    next: () => {
      if (chunk !== undefined) return chunk
      if (!blocks.hasWhole) {
        if (!wantsRest) return undefined
        wantsRest = false
      }
      chunk = blocks.take()
      return chunk
    },
    wantRest: () => {
      wantsRest = true
    },
    get isEmpty() {
      return waiting === 0
    },
    written: advance,
    dropHalfLine: () => {
      if (!isHalf || chunk === undefined) return
      lose()
      advance(chunk.indexOf(NEWLINE) + 1 || chunk.length)
    },
    usedPart: () => waiting / maxBytes,
    lostInAll: () => lostInAll,
    takeLost: () => {
      if (waiting > maxBytes / 2) return 0
      const lines = lost
      lost = 0
      isFull = false
      return lines
    },
  }
}
