import type { ExportRef } from './export.ts'

/** The port behind which the tracked exports and their due times are; `store/` implements it. */

/**
 * Why an export is tracked, weakest first: somebody watches it and lemlist has not answered yet; it
 * was started through the gateway; it was seen pending.
 */
export type Origin = 'watched' | 'started' | 'pending'

/** When an export is looked at next, and what the looks so far have come to. */
export interface Plan {
  /** Epoch milliseconds. */
  readonly dueAt: number
  /** Its own interval, milliseconds: `dueAt + intervalMs` is the deadline that orders what is overdue. */
  readonly intervalMs: number
  readonly origin: Origin
  /** Looks in a row at which lemlist did not know it. */
  readonly misses: number
  /** Looks in a row that failed. */
  readonly failures: number
}

export interface Tracking extends Plan {
  readonly ref: ExportRef
  /** Epoch milliseconds; the only clock of an export's life. */
  readonly firstSeenAt: number
  /** Somebody watches it, on any replica, at least until then; 0 when nobody does. Epoch ms. */
  readonly watchedUntil: number
}

/** The right to look at an export and to say when it is looked at next. */
export interface Claim extends Tracking {
  readonly token: string
}

/**
 * The tracked exports, each until it is final. Bounded by the budget: an export gets here by a call to
 * lemlist and leaves after 2 h 15 min, so at 8 calls a second there are at most some 65 000.
 */
export interface Schedule {
  /**
   * Tracks it, or notes a look that was made outside of any claim; a claim on it is lost then. Keeps
   * the earliest `firstSeenAt`, the latest `watchedUntil` and the stronger `origin`.
   */
  track(tracking: Tracking): Promise<void>
  /**
   * Raises `watchedUntil` of those that are tracked. With `dueBy` their due times come forward to it,
   * unless they are claimed. Where the claim may be another replica's, which does not know yet that
   * somebody watches, the time that it names comes forward instead.
   */
  watch(refs: readonly ExportRef[], watchedUntil: number, dueBy?: number): Promise<void>
  /**
   * The `limit` most urgent of those that are due, by deadline, each with a new token. They are not
   * due again before the visibility time-out has passed, so the claims of a dead replica come back by
   * themselves. `nextDueAt` is when the next of the others is due.
   */
  claim(now: number, limit: number): Promise<{ claims: Claim[]; nextDueAt: number | undefined }>
  /** Says when it is looked at next. False when the claim is lost: then nothing has changed. */
  reschedule(claim: Pick<Claim, 'ref' | 'token'>, plan: Plan): Promise<boolean>
  find(ref: ExportRef): Promise<Tracking | undefined>
  /** Stops following it; with a token only while that claim holds. */
  untrack(ref: ExportRef, token?: string): Promise<boolean>
}
