import type { Bounds } from '../../exports/bounds.ts'
import type { BudgetLimits, Observer } from '../../exports/ports.ts'
import type { ScheduleLimits } from '../tracked.ts'

/** The types of a store that goes on without Redis: what is used now, and what is written back. */

export interface FailoverOptions {
  readonly limits: BudgetLimits
  /** How many calls lemlist's limit has in addition to `limits.calls`. */
  readonly reserve: number
  readonly visibilityMs: number
  readonly scheduleLimits?: Partial<ScheduleLimits> | undefined
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  /** How often this replica says that it lives, and checks the messages, milliseconds. Default 5 s. */
  readonly beatMs?: number | undefined
  /** How often the log says again what is wrong with Redis, milliseconds. Default one minute. */
  readonly remindMs?: number | undefined
  readonly storeFailed: Observer['storeFailed']
  /** Called after each switch, when this process works without Redis, or with Redis again. */
  readonly onSwitch: (to: 'away' | 'back') => void
  readonly bounds?: Bounds | undefined
}

/** Decides whether an operation runs on Redis or in this process. */
export interface Switch {
  isUp(): boolean
  /**
   * Runs `there` on Redis, or `here` in this process when Redis is away or fails. After a failure
   * Redis counts as away. A `RangeError` concerns the arguments, so it is thrown and is no failure
   * of Redis.
   */
  either<T>(there: () => Promise<T>, here: () => Promise<T>): Promise<T>
}

/** Data that this process keeps for a Redis that comes back. */
export interface Restored {
  /** Marks all that this replica knows to be put again, because Redis may have lost it. */
  recall(): void
  /** Puts everything that is marked into Redis. */
  settle(): Promise<void>
  isSettled(): boolean
}
