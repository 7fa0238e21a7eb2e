import type { CallClass, Claim, Origin, Plan, Tracked, Tracking } from '../exports/schedule.ts'

/** The rules of `Schedule` that the stores share. Times are epoch milliseconds. */

/** The bounds of a schedule. */
export interface ScheduleLimits {
  /** How many exports may be tracked, the unconfirmed ones included. */
  readonly maxTracked: number
  /** How many exports may be tracked that lemlist has not confirmed. */
  readonly maxUnconfirmed: number
  /**
   * The farthest that a due time may lie ahead, milliseconds. A later one was written before the
   * clock was set back, so that export is due now.
   */
  readonly longestAheadMs: number
}

/**
 * The budget bounds the confirmed exports: each gets here by a call to lemlist and leaves after
 * 2 h 15 min. With 8 calls a second these are at most about 65 000 exports. In the memory of a
 * process they take about 40 MB.
 */
export const MAX_TRACKED = 65_000
/**
 * The budget does not bound the unconfirmed exports, because they get here without a call. Each of
 * them costs memory and a place on a stream.
 */
export const MAX_UNCONFIRMED = 20_000
/** Three times the longest back-off or idle interval of the default configuration. */
export const LONGEST_AHEAD_MS = 180_000

export const DEFAULT_LIMITS: ScheduleLimits = {
  maxTracked: MAX_TRACKED,
  maxUnconfirmed: MAX_UNCONFIRMED,
  longestAheadMs: LONGEST_AHEAD_MS,
}

/** A tracked export with the token of the last claim on it, while that claim holds. */
export type Row = Tracking & { readonly token?: string | undefined }

const STRENGTH = { watched: 0, started: 1, pending: 2 } satisfies Record<Origin, number>

export const isOrigin = (value: unknown): value is Origin =>
  typeof value === 'string' && Object.hasOwn(STRENGTH, value)

export const isUnconfirmed = ({ origin }: Pick<Plan, 'origin'>): boolean => origin === 'watched'

export const classOf = (row: Pick<Plan, 'origin'>, watched: boolean): CallClass => {
  if (isUnconfirmed(row)) return 'unconfirmed'
  return watched ? 'watched' : 'idle'
}

/** Copies field by field, because a plan may be a claim, whose other fields do not belong here. */
export const planOf = (plan: Plan): Plan => ({
  // Jitter makes fractions of milliseconds, but the stores keep integers.
  dueAt: Math.round(plan.dueAt),
  lookedAt: Math.round(plan.lookedAt),
  intervalMs: Math.round(plan.intervalMs),
  origin: plan.origin,
  misses: plan.misses,
  failures: plan.failures,
  agedLooks: plan.agedLooks,
})

/** Returns what `track` writes. It has no token, so a claim on the export is lost. */
export const tracked = (next: Tracking, kept: Tracking = next): Row => ({
  ...planOf(next),
  ref: next.ref,
  origin: STRENGTH[kept.origin] > STRENGTH[next.origin] ? kept.origin : next.origin,
  firstSeenAt: Math.round(Math.min(kept.firstSeenAt, next.firstSeenAt)),
})

/** Returns what `watch` writes. A claimed export stays due when its claim times out. */
export const hastened = (kept: Row, dueBy = Number.POSITIVE_INFINITY): Row =>
  kept.token === undefined && dueBy < kept.dueAt ? { ...kept, dueAt: Math.round(dueBy) } : kept

/**
 * Returns the claim, which says when the export was due, and the row to keep, which is due again
 * when the claim times out.
 */
export const claimed = (
  kept: Row,
  { token, watched, visibleAt }: { token: string; watched: boolean; visibleAt: number },
): { claim: Claim; rest: Row } => ({
  claim: { ...kept, token, watched, callClass: classOf(kept, watched) },
  rest: { ...kept, token, dueAt: Math.round(visibleAt) },
})

/** Returns what `reschedule` writes. The claim is over. */
export const rescheduled = (kept: Row, plan: Plan): Row => ({
  ...kept,
  ...planOf(plan),
  token: undefined,
})

/** Returns what `find` answers. Only the replica that made a claim may know its token. */
export const told = ({ token: _, ...tracking }: Row, watched: boolean): Tracked => ({
  ...tracking,
  watched,
})
