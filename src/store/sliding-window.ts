import type { Budget, BudgetLimits } from '../exports/ports.ts'

export interface SlidingWindowOptions {
  /** Monotonic milliseconds; a wall clock would forget calls when it is set. */
  readonly now?: () => number
  /**
   * No call leaves up to and including this moment of `now`: for a budget whose former owner may
   * just have spent it.
   */
  readonly quietUntil?: number
}

/** Pacing divides the window by this; see `createSlidingWindow`. */
const QUARTERS = 4

/**
 * The budget of one process: an exact log of the last calls of each account.
 *
 * At most `calls` leave in any `windowMs`, and at most a quarter of them (at least one) in any
 * quarter of it: what leaves in two windows may arrive at lemlist in one, and pacing keeps the
 * excess of such a shift small.
 *
 * Windows are closed: calls at t and t + windowMs share one, so a slot is free again only when more
 * than `windowMs` have passed. The answered wait is the next whole millisecond after that moment. A
 * timer that fires a fraction of a millisecond early is therefore told 1, never 0 and never to spin.
 * The log holds when a call was allowed, not when it arrived: that jitter is what pacing and the
 * reserve are for.
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
): Budget => {
  if (!Number.isSafeInteger(calls) || calls < 1 || !(windowMs > 0)) {
    throw new RangeError('A budget needs at least 1 call and a window longer than 0 ms')
  }
  const pacedCalls = Math.max(1, Math.floor(calls / QUARTERS))
  const pacedMs = windowMs / QUARTERS
  // One log per account of the configuration, each at most `calls` long: no further bound needed.
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
    async take(account) {
      const log = logs.get(account) ?? []
      logs.set(account, log)
      const time = now()
      const blocked = blockedUntil(account, log)
      if (time <= blocked) return waitPast(blocked, time)
      // By age, not by length: with a limit of 10^9 the log stays as long as its traffic.
      while (log[0] !== undefined && log[0] + windowMs < time) log.shift()
      log.push(time)
      return 0
    },
    async pause(account, ms) {
      const until = now() + ms
      // So asked, NaN changes nothing either.
      if (until > pausedUntil(account)) pauses.set(account, until)
    },
  }
}

/** Whole milliseconds from `time` to a moment after `blocked`. At least 1. */
const waitPast = (blocked: number, time: number): number => {
  const waitMs = Math.floor(blocked - time) + 1
  // After weeks of uptime the sum may round back onto `blocked`.
  return time + waitMs > blocked ? waitMs : waitMs + 1
}
