import type { Plan } from '../schedule.ts'

/** Pure: when the next look at an export is worth a call. Durations are milliseconds. */

export interface PollIntervals {
  /** After a watched export became known as pending: most real ones are done within a second. */
  readonly firstMs: number
  /** While a watched export is young. lemlist's advice: 5 s. */
  readonly intervalMs: number
  /** What that grows to. lemlist's advice: 10 to 15 s. */
  readonly maxIntervalMs: number
  /** While nobody watches. */
  readonly idleIntervalMs: number
}

/** The interval stays short for 6 of its own lengths (30 s at 5 s), then grows with the age. */
const YOUNG_INTERVALS = 6
/** Half of the 10 % that may be: what the way to lemlist adds must not make it more. */
const JITTER = 0.05
const FIRST_JITTER = 0.1
const LONGEST_BACK_OFF_MS = 60_000

/** The interval of a watched export `ageMs` after it was first seen: a sixth of its age, within bounds. */
export const watchedIntervalMs = (
  ageMs: number,
  { intervalMs, maxIntervalMs }: Pick<PollIntervals, 'intervalMs' | 'maxIntervalMs'>,
): number => Math.min(maxIntervalMs, Math.max(intervalMs, ageMs / YOUNG_INTERVALS))

/** What a look came to, and who cares. */
export interface Looked {
  /** Epoch milliseconds. */
  readonly now: number
  readonly firstSeenAt: number
  readonly watched: boolean
  /** Whether lemlist's word was `pending`. What it has not documented is followed at the idle pace. */
  readonly pending: boolean
  /** Looks in a row that failed, this one included. */
  readonly failures: number
  /** From 0 up to 1. */
  readonly random: number
}

/** When to look next. Looks that fail are spaced by twice as much each, up to a minute. */
export const nextLook = (
  { now, firstSeenAt, watched, pending, failures, random }: Looked,
  intervals: PollIntervals,
): Pick<Plan, 'dueAt' | 'intervalMs'> => {
  const ageMs = now - firstSeenAt
  const firstDueAt = firstSeenAt + intervals.firstMs * (1 + FIRST_JITTER * random)
  if (watched && pending && failures === 0 && ageMs < intervals.firstMs && firstDueAt > now) {
    return { dueAt: firstDueAt, intervalMs: intervals.firstMs }
  }
  const ownMs = watched && pending ? watchedIntervalMs(ageMs, intervals) : intervals.idleIntervalMs
  const backOffMs = Math.min(LONGEST_BACK_OFF_MS, ownMs * 2 ** failures)
  const intervalMs = failures === 0 ? ownMs : Math.max(ownMs, backOffMs)
  return { dueAt: now + intervalMs * (1 - JITTER + 2 * JITTER * random), intervalMs }
}
