import type { Turn } from '../exports/ports.ts'
import type { CallClass } from '../exports/schedule.ts'

/** A call that stands in the waiting line. Times are monotonic milliseconds, as in its `Turn`. */
export interface Waiter {
  due: number
  giveUpAt: number
  latestAt: number
  callClass: CallClass
  isWanted: (() => boolean) | undefined
  readonly unlimited: boolean
  /** When it entered the line. */
  readonly since: number
  waiting: boolean
  timer: NodeJS.Timeout | undefined
  readonly settle: PromiseWithResolvers<() => void>
}

/** The class with the larger number is the better one: it has the larger share of the slots. */
const BETTER = { watched: 2, idle: 1, unconfirmed: 0 } satisfies Record<CallClass, number>

export const waiterOf = (turn: Turn, unlimited: boolean): Waiter => ({
  due: turn.due,
  giveUpAt: turn.giveUpAt,
  latestAt: turn.latestAt ?? Number.POSITIVE_INFINITY,
  callClass: turn.callClass,
  isWanted: turn.isWanted,
  unlimited,
  since: performance.now(),
  waiting: true,
  timer: undefined,
  settle: Promise.withResolvers<() => void>(),
})

/**
 * Gives a waiter the earlier due time, the later give-up time and the better class of its own turn
 * and another one. It gives up at the earlier `latestAt` at the latest.
 */
export const hurry = (waiter: Waiter, turn: Turn): void => {
  waiter.due = Math.min(waiter.due, turn.due)
  waiter.latestAt = Math.min(waiter.latestAt, turn.latestAt ?? Number.POSITIVE_INFINITY)
  waiter.giveUpAt = Math.min(waiter.latestAt, Math.max(waiter.giveUpAt, turn.giveUpAt))
  if (BETTER[turn.callClass] > BETTER[waiter.callClass]) waiter.callClass = turn.callClass
  if (turn.isWanted === undefined) waiter.isWanted = undefined
}
