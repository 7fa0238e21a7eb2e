/** Pure: when the next look at an export is worth a call. Durations are milliseconds. */

export interface PollIntervals {
  /** While an export is young. lemlist's advice: 5 s. */
  readonly intervalMs: number
  /** What the interval grows to. lemlist's advice: 10 to 15 s. */
  readonly maxIntervalMs: number
}

/** The interval stays short for 6 of its own lengths (30 s at 5 s), then grows with the age. */
const YOUNG_INTERVALS = 6

/** The interval of a watched export `ageMs` after it was first seen: a sixth of its age, within bounds. */
export const watchedIntervalMs = (ageMs: number, { intervalMs, maxIntervalMs }: PollIntervals) =>
  Math.min(maxIntervalMs, Math.max(intervalMs, ageMs / YOUNG_INTERVALS))
