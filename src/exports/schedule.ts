import type { ExportRef } from './export.ts'

/** The port for the tracked exports and their due times. `store/` implements it. */

/**
 * Why the gateway tracks an export, weakest reason first. `watched`: somebody watches it, and
 * lemlist has not answered yet. `started`: it was started through the gateway. `pending`: it was
 * seen pending.
 */
export type Origin = 'watched' | 'started' | 'pending'

/** When the gateway looks at an export next, and how the looks so far have ended. */
export interface Plan {
  /** Epoch milliseconds. */
  readonly dueAt: number
  /** The export's own interval, milliseconds. Due exports are ordered by `dueAt + intervalMs`. */
  readonly intervalMs: number
  readonly origin: Origin
  /** How many looks in a row found that lemlist does not know the export. */
  readonly misses: number
  /** How many looks in a row have failed. */
  readonly failures: number
}

export interface Tracking extends Plan {
  readonly ref: ExportRef
  /** When the gateway first saw it, epoch ms. The age of an export counts from nothing else. */
  readonly firstSeenAt: number
  /** Until when at least somebody watches it on any replica, epoch ms. 0 when nobody does. */
  readonly watchedUntil: number
}

/** The right to look at an export and to say when it is looked at next. */
export interface Claim extends Tracking {
  readonly token: string
}

/**
 * The tracked exports, each until it is final. The budget bounds them: an export gets here by a
 * call to lemlist and leaves after 2 h 15 min. With 8 calls a second these are at most about 65 000
 * exports.
 */
export interface Schedule {
  /**
   * Tracks an export, or notes a look that was made without a claim. A claim on the export is lost
   * then. The earliest `firstSeenAt`, the latest `watchedUntil` and the stronger `origin` stay.
   */
  track(tracking: Tracking): Promise<void>
  /**
   * Raises `watchedUntil` of the refs that are tracked. With `dueBy`, epoch milliseconds, the due
   * times of those that are not claimed move forward to it. In a shared store the claim may belong
   * to another replica, which does not know yet that somebody watches. Then the due time that this
   * replica names at its `reschedule` moves forward.
   */
  watch(refs: readonly ExportRef[], watchedUntil: number, dueBy?: number): Promise<void>
  /**
   * Claims the `limit` most urgent of the due exports, by deadline, each with a new token. A
   * claimed export is due again when the visibility time-out has passed, so the claims of a dead
   * replica come back by themselves. `nextDueAt` is the earliest due time after that, claimed
   * exports included.
   */
  claim(now: number, limit: number): Promise<{ claims: Claim[]; nextDueAt: number | undefined }>
  /** Says when to look at the export next. If the claim is lost, returns false, changes nothing. */
  reschedule(claim: Pick<Claim, 'ref' | 'token'>, plan: Plan): Promise<boolean>
  find(ref: ExportRef): Promise<Tracking | undefined>
  /** Stops tracking the export. With a token it does so only while that claim holds. */
  untrack(ref: ExportRef, token?: string): Promise<boolean>
}
