import type { CallClass } from '../exports/schedule.ts'

/** Decides which classes of calls the slots of the budget may go to. */
export interface Shares {
  /**
   * Returns the classes that the next slot may go to. Calls of the classes `waiting` stand in line.
   */
  next(waiting: ReadonlySet<CallClass>): readonly CallClass[]
  /** Notes that a slot went to a call of this class. */
  spent(callClass: CallClass): void
}

/** A class has a quarter of the slots when it gets one of so many in a row. */
const QUARTER = 4

/**
 * Creates the shares of one budget. Polls of exports that nobody watches get at least a quarter of
 * the slots while some of them wait, and also the slots that the others leave. Calls for ids that
 * lemlist has never confirmed get at most a quarter while any other call waits. The other slots go
 * to callers and to polls of watched exports.
 */
export const createShares = (): Shares => {
  /** The classes that the last three slots went to. The next slot is the fourth in a row. */
  const last: CallClass[] = []

  return {
    next: (waiting) => {
      const isDue = (one: CallClass) => waiting.has(one) && !last.includes(one)
      if (isDue('idle')) return ['idle']
      // Among these two the earliest due time decides. The unconfirmed calls take part only while
      // their quarter is not used up.
      const first = (['watched', 'unconfirmed'] as const).filter(
        (one) => waiting.has(one) && (one === 'watched' || isDue(one)),
      )
      if (first.length > 0) return first
      return waiting.has('idle') ? ['idle'] : [...waiting]
    },
    spent: (callClass) => {
      last.push(callClass)
      if (last.length >= QUARTER) last.shift()
    },
  }
}
