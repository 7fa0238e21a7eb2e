import type { BudgetLimits, Observer } from '../../exports/ports.ts'

/** The words of a store that goes on without Redis: which of the two is used now, and what is put back. */

export interface FailoverOptions {
  readonly limits: BudgetLimits
  /** Calls that the limit of lemlist has beside those: the reserve. */
  readonly reserve: number
  readonly visibilityMs: number
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  readonly storeFailed: Observer['storeFailed']
  /** Told at each switch, once what is here stands in for Redis, or Redis is in use again. */
  readonly onSwitch: (to: 'away' | 'back') => void
}

/** Whether an operation is to be done on Redis; whoever meets an error there says so and goes on here. */
export interface Switch {
  isUp(): boolean
  /**
   * Does it on Redis, or here when Redis is away or fails at it. A `RangeError` is about the arguments
   * and thrown as it is.
   */
  either<T>(there: () => Promise<T>, here: () => Promise<T>): Promise<T>
}

/** What is kept here for a Redis that comes back. */
export interface Restored {
  /** All that this replica knows is to be put again: Redis may have lost it. */
  recall(): void
  /** Puts what Redis does not have yet. */
  settle(): Promise<void>
  isSettled(): boolean
}
