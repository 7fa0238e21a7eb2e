import type { Claim, Origin, Plan, Tracking } from '../exports/schedule.ts'

/** The rules of `Schedule` that every store in this process keeps. Times are epoch milliseconds. */

/** A tracked export as a store keeps it, with the token of the last claim on it while that holds. */
export type Tracked = Tracking & { readonly token?: string | undefined }

const STRENGTH = { watched: 0, started: 1, pending: 2 } satisfies Record<Origin, number>

/** What orders those that are due: a short interval overtakes a long one, but not for ever. */
export const deadlineOf = ({ dueAt, intervalMs }: Pick<Plan, 'dueAt' | 'intervalMs'>): number =>
  dueAt + intervalMs

/** Field by field: a plan made from a claim must not bring the claim's old `watchedUntil` along. */
export const planOf = ({ dueAt, intervalMs, origin, misses, failures }: Plan): Plan => ({
  // Jitter makes fractions of milliseconds; the integers of a store take none.
  dueAt: Math.round(dueAt),
  intervalMs: Math.round(intervalMs),
  origin,
  misses,
  failures,
})

/** The upsert of `track`. Without a token, so that a claim on it is lost. */
export const noted = (next: Tracking, kept: Tracking = next): Tracked => ({
  ...planOf(next),
  ref: next.ref,
  origin: STRENGTH[kept.origin] > STRENGTH[next.origin] ? kept.origin : next.origin,
  firstSeenAt: Math.min(kept.firstSeenAt, next.firstSeenAt),
  watchedUntil: Math.max(kept.watchedUntil, next.watchedUntil),
})

/** A claimed one stays where it is; when its time-out has passed it is due already. */
export const watched = (kept: Tracked, watchedUntil: number, dueBy = Infinity): Tracked => ({
  ...kept,
  watchedUntil: Math.max(kept.watchedUntil, watchedUntil),
  dueAt: kept.token === undefined ? Math.min(kept.dueAt, Math.round(dueBy)) : kept.dueAt,
})

/** The claim tells when it was due; what is kept is due again when the claim's time is out. */
export const claimed = (
  kept: Tracked,
  token: string,
  visibleAt: number,
): { claim: Claim; rest: Tracked } => ({
  claim: { ...kept, token },
  rest: { ...kept, token, dueAt: Math.round(visibleAt) },
})

/** The token is for who claimed it. */
export const withoutToken = ({ token: _, ...tracking }: Tracked): Tracking => tracking

export const rescheduled = (kept: Tracked, plan: Plan): Tracked => ({
  ...kept,
  ...planOf(plan),
  token: undefined,
})
