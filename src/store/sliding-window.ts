import type { Budget, BudgetLimits } from '../exports/ports.ts'

export interface SlidingWindowOptions {
  /** Monotonic milliseconds. With a wall clock, the budget would forget calls when it is set. */
  readonly now?: () => number
  /**
   * No call leaves up to and including this moment of `now`, because a former process may just have
   * spent the budget.
   */
  readonly quietUntil?: number
}

export interface SlidingWindow extends Budget {
  /** Counts a call that left at that moment of `now` without being asked for here. */
  count(account: string, at: number): void
}

/** Pacing divides the window into so many parts; see `createSlidingWindow`. */
const QUARTERS = 4

/**
 * The budget of one process: an exact log of the last calls of each account.
 *
 * At most `calls` leave in any `windowMs`, and at most a quarter of them (at least one) in any
 * quarter of it. This pacing is needed because calls that leave in two windows may arrive at
 * lemlist in one. It keeps the number of such extra calls small.
 *
 * Windows are closed: calls at t and t + windowMs are in the same window, so a slot is free again
 * only when more than `windowMs` have passed. `take` returns the wait until the next whole
 * millisecond after that moment. A timer may fire a fraction of a millisecond early. `take` then
 * returns 1, so the caller neither leaves too early nor asks in a tight loop. The log holds when a
 * call was allowed, not when it arrived. Pacing and the reserve cover that difference.
 *
 * @param limits `calls` a whole number from 1, `windowMs` above 0
 * @throws RangeError for other limits
 */
export const createSlidingWindow = (
  { calls, windowMs }: BudgetLimits,
  {
    now = () => performance.now(),
    quietUntil = Number.NEGATIVE_INFINITY,
  }: SlidingWindowOptions = {},
): SlidingWindow => {
  if (!Number.isSafeInteger(calls) || calls < 1 || !(windowMs > 0)) {
    throw new RangeError('A budget needs at least 1 call and a window longer than 0 ms')
  }
  const pacedCalls = Math.max(1, Math.floor(calls / QUARTERS))
  const pacedMs = windowMs / QUARTERS
  // One log per account of the configuration, each at most `calls` long: no further bound is
  // needed.
  const logs = new Map<string, number[]>()
  const pauses = new Map<string, number>()

  /** The last moment of the longest pause so far. */
  const pausedUntil = (account: string): number => pauses.get(account) ?? quietUntil

  /** The last moment at which no call may leave. */
  const blockedUntil = (account: string, log: readonly number[]): number => {
    const lastOfWindow = log.at(-calls) ?? Number.NEGATIVE_INFINITY
    const lastOfQuarter = log.at(-pacedCalls) ?? Number.NEGATIVE_INFINITY
    return Math.max(pausedUntil(account), lastOfWindow + windowMs, lastOfQuarter + pacedMs)
  }

  return {
    count: (account, at) => {
      logs.set(
        account,
        [...(logs.get(account) ?? []), at].sort((one, other) => one - other),
      )
    },
    async take(account) {
      const log = logs.get(account) ?? []
      logs.set(account, log)
      const time = now()
      const blocked = blockedUntil(account, log)
      if (time <= blocked) return waitPast(blocked, time)
      // The log drops calls by their age. So even with a limit of 10^9 it holds only the calls of
      // one window.
      while (log[0] !== undefined && log[0] + windowMs < time) log.shift()
      log.push(time)
      return 0
    },
    async pausedMs(account) {
      return Math.max(0, Math.ceil(pausedUntil(account) - now()))
    },
    async pause(account, ms) {
      const until = now() + ms
      // Written this way round, the comparison also ignores NaN.
      if (until > pausedUntil(account)) pauses.set(account, until)
    },
  }
}

/** Returns whole milliseconds from `time` to a moment after `blocked`, at least 1. */
const waitPast = (blocked: number, time: number): number => {
  const waitMs = Math.floor(blocked - time) + 1
  // After weeks of uptime `time` is so large that the sum may be rounded down to `blocked`.
  return time + waitMs > blocked ? waitMs : waitMs + 1
}
