import type { Plan } from '../schedule.ts'

/** Pure functions: when the next look at an export is worth a call. Durations are milliseconds. */

export interface PollIntervals {
  /**
   * The delay of the first look, after a watched export became known as pending. Most real exports
   * are done within a second.
   */
  readonly firstMs: number
  /** The interval while a watched export is young. lemlist advises 5 s. */
  readonly intervalMs: number
  /** The longest interval of a watched export. lemlist advises 10 to 15 s. */
  readonly maxIntervalMs: number
  /** The interval while nobody watches the export. */
  readonly idleIntervalMs: number
}

/** The interval stays short for 6 of its own lengths (30 s at 5 s). Then it grows with the age. */
const YOUNG_INTERVALS = 6
/**
 * By this part of itself an interval is shorter at most, never longer: the call, and the wait for it,
 * make the time between two looks longer. It may deviate by 10 % in all.
 */
const JITTER = 0.08
const FIRST_JITTER = 0.1
const LONGEST_BACK_OFF_MS = 60_000
/** A plan lies at most one longest interval ahead. This factor leaves a margin. */
const AHEAD_INTERVALS = 3

/**
 * Returns the interval of a watched export `ageMs` after it was first seen: a sixth of its age, at
 * least `intervalMs` and at most `maxIntervalMs`.
 */
export const watchedIntervalMs = (
  ageMs: number,
  { intervalMs, maxIntervalMs }: Pick<PollIntervals, 'intervalMs' | 'maxIntervalMs'>,
): number => Math.min(maxIntervalMs, Math.max(intervalMs, ageMs / YOUNG_INTERVALS))

/**
 * Returns the farthest that a due time may lie ahead, milliseconds. `nextLook` plans nothing beyond
 * it, so a later due time was written before the clock was set back.
 */
export const longestAheadMs = ({ maxIntervalMs, idleIntervalMs }: PollIntervals): number =>
  AHEAD_INTERVALS * Math.max(maxIntervalMs, idleIntervalMs, LONGEST_BACK_OFF_MS)

/** How a look ended, and whether somebody watches the export. */
export interface Looked {
  /** Epoch milliseconds. */
  readonly now: number
  readonly firstSeenAt: number
  readonly watched: boolean
  /** Whether lemlist said `pending`. After an undocumented word the idle interval applies. */
  readonly pending: boolean
  /** How many looks in a row have failed, this one included. */
  readonly failures: number
  /** From 0 up to, but not including, 1. */
  readonly random: number
}

/**
 * Returns when to look next. Each failed look doubles the interval, up to a minute.
 *
 * The first look counts as one that waits for the longest interval already. Most exports end within
 * their first second, so it goes before the others, unless calls are so scarce that those have waited
 * for longer.
 */
export const nextLook = (
  { now, firstSeenAt, watched, pending, failures, random }: Looked,
  intervals: PollIntervals,
): Pick<Plan, 'dueAt' | 'lookedAt' | 'intervalMs'> => {
  const ageMs = now - firstSeenAt
  const firstDueAt = firstSeenAt + intervals.firstMs * (1 + FIRST_JITTER * random)
  // The age is negative when the clock was set back since the export was first seen. Such an age
  // says nothing, so the export does not count as new.
  const isNew = ageMs >= 0 && ageMs < intervals.firstMs
  if (watched && pending && failures === 0 && isNew && firstDueAt > now) {
    const lookedAt = now - intervals.maxIntervalMs
    return { dueAt: firstDueAt, lookedAt, intervalMs: intervals.firstMs }
  }
  const ownMs = watched && pending ? watchedIntervalMs(ageMs, intervals) : intervals.idleIntervalMs
  const backOffMs = Math.min(LONGEST_BACK_OFF_MS, ownMs * 2 ** failures)
  const intervalMs = failures === 0 ? ownMs : Math.max(ownMs, backOffMs)
  return { dueAt: now + intervalMs * (1 - JITTER * random), lookedAt: now, intervalMs }
}
