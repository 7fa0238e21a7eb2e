import type { Claim, Origin, Plan, Tracking } from '../exports/schedule.ts'

/** The rules of `Schedule` that the stores share. Times are epoch milliseconds. */

/** A tracked export as a store keeps it, with the token of the last claim while that holds. */
export type Tracked = Tracking & { readonly token?: string | undefined }

const STRENGTH = { watched: 0, started: 1, pending: 2 } satisfies Record<Origin, number>

/**
 * Due exports are claimed in the order of this time. An export with a short interval overtakes one
 * with a long interval, but not for ever.
 */
export const deadlineOf = ({ dueAt, intervalMs }: Pick<Plan, 'dueAt' | 'intervalMs'>): number =>
  dueAt + intervalMs

/** Copies field by field, because a plan may be a claim, whose `watchedUntil` is out of date. */
export const planOf = ({ dueAt, intervalMs, origin, misses, failures }: Plan): Plan => ({
  // Jitter makes fractions of milliseconds, but the stores keep integers.
  dueAt: Math.round(dueAt),
  intervalMs: Math.round(intervalMs),
  origin,
  misses,
  failures,
})

/** Returns what `track` writes. It has no token, so a claim on the export is lost. */
export const noted = (next: Tracking, kept: Tracking = next): Tracked => ({
  ...planOf(next),
  ref: next.ref,
  origin: STRENGTH[kept.origin] > STRENGTH[next.origin] ? kept.origin : next.origin,
  firstSeenAt: Math.min(kept.firstSeenAt, next.firstSeenAt),
  watchedUntil: Math.max(kept.watchedUntil, next.watchedUntil),
})

/**
 * Returns what `watch` writes. The due time of a claimed export stays, because the end of its look
 * sets a new one. If the claim has timed out, the export is due already.
 */
export const watched = (kept: Tracked, watchedUntil: number, dueBy = Infinity): Tracked => ({
  ...kept,
  watchedUntil: Math.max(kept.watchedUntil, watchedUntil),
  dueAt: kept.token === undefined ? Math.min(kept.dueAt, Math.round(dueBy)) : kept.dueAt,
})

/**
 * Returns the claim, which says when the export was due, and the row to keep, which is due again
 * when the claim times out.
 */
export const claimed = (
  kept: Tracked,
  token: string,
  visibleAt: number,
): { claim: Claim; rest: Tracked } => ({
  claim: { ...kept, token },
  rest: { ...kept, token, dueAt: Math.round(visibleAt) },
})

/** Only the replica that made a claim may know its token. */
export const withoutToken = ({ token: _, ...tracking }: Tracked): Tracking => tracking

export const rescheduled = (kept: Tracked, plan: Plan): Tracked => ({
  ...kept,
  ...planOf(plan),
  token: undefined,
})
