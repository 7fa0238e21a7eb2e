import type { CampaignRef, ExportRef } from './export.ts'

/** The port for the tracked exports and their due times. `store/` implements it. */

/**
 * Why the gateway tracks an export, weakest reason first. `watched`: somebody watches it, and
 * lemlist has not confirmed it yet. `started`: it was started through the gateway. `pending`: it
 * was seen pending.
 */
export type Origin = 'watched' | 'started' | 'pending'

/**
 * Which share of the budget a call to lemlist uses. `watched`: a caller waits for the call, or
 * somebody watches the export on any replica. `idle`: nobody watches the export, but the gateway
 * follows it until it is over. `unconfirmed`: somebody wants the export, but it was not started
 * through the gateway and lemlist has never confirmed it, so it may not exist.
 */
export type CallClass = 'watched' | 'idle' | 'unconfirmed'

export const CALL_CLASSES = ['watched', 'idle', 'unconfirmed'] as const satisfies CallClass[]

/** A number for each class, such as how many polls of it may wait in line. */
export type PerClass = Readonly<Record<CallClass, number>>

/** When the gateway looks at an export next, and how the looks so far have ended. */
export interface Plan {
  /** Epoch milliseconds. */
  readonly dueAt: number
  /**
   * When the last look ended, epoch milliseconds. Before the first one: when the gateway began to
   * track the export, after a restart too, or earlier when the first look shall come soon. Of the due
   * exports of a class the one with the earliest time is claimed first. So while there are too few
   * calls for all of them, they wait equally long, however long their own intervals are.
   */
  readonly lookedAt: number
  /** The export's own interval, milliseconds. */
  readonly intervalMs: number
  readonly origin: Origin
  /** How many looks in a row found that lemlist does not know the export. */
  readonly misses: number
  /** How many looks in a row have failed. */
  readonly failures: number
  /** How many looks in a row found it too old (over 2 h 15 min) while nobody watched it. */
  readonly agedLooks: number
}

/** A tracked export, as the domain gives it to the schedule. */
export interface Tracking extends Plan {
  readonly ref: ExportRef
  /** When the gateway first saw it, epoch ms. The age of an export counts from nothing else. */
  readonly firstSeenAt: number
}

/** A tracked export, as the schedule returns it. */
export interface Tracked extends Tracking {
  /** Whether somebody watches the export on any replica. */
  readonly watched: boolean
}

/** The right to look at an export and to say when it is looked at next. */
export interface Claim extends Tracked {
  readonly token: string
  readonly callClass: CallClass
}

/** An export that is watched on this replica. */
export interface Watched {
  readonly ref: ExportRef
  /** A later due time moves forward to this time, epoch milliseconds. */
  readonly dueBy?: number
  /**
   * The interval of the watched export, milliseconds. A look that is under way counts, so the next
   * one comes no sooner than this after its answer. Default 0.
   */
  readonly intervalMs?: number
}

/**
 * The tracked exports, each until it is final. An operation on many exports is one transaction of
 * the store, or one script for a few hundred of them. Such operations take effect in the order in
 * which they are called. So a caller who decides and calls in the same turn of the event loop has
 * the last word, even if an earlier call still runs.
 *
 * The number of tracked exports is bounded, and so is the number of unconfirmed ones among them.
 * The schedule does not track the exports beyond a bound, and returns them.
 */
export interface Schedule {
  /**
   * Tracks exports, or notes looks that were made without a claim. A claim on such an export is
   * lost then. The earliest `firstSeenAt` and the stronger `origin` stay. Returns the exports that
   * the schedule has no room for.
   */
  track(trackings: readonly Tracking[]): Promise<readonly ExportRef[]>
  /**
   * Says that this replica watches these exports, and tracks those that are not tracked yet. The
   * due times of the others move forward to the given ones, as with `watch`. Returns the exports
   * that the schedule has no room for.
   */
  adopt(trackings: readonly Tracking[]): Promise<readonly ExportRef[]>
  /**
   * Says that this replica watches these exports, until it calls `unwatch` or has not called
   * `renew` for two heartbeats. The exports need not be tracked yet. With `dueBy`, the due times of
   * those that are not claimed move forward. In a shared store the claim may belong to another
   * replica, which does not know yet that somebody watches. Then the due time that the other
   * replica names at its `reschedule` moves forward.
   */
  watch(watched: readonly Watched[]): Promise<void>
  /**
   * Says that nobody on this replica watches these exports any more. The schedule drops an
   * unconfirmed export that nobody watches on any replica.
   */
  unwatch(refs: readonly ExportRef[]): Promise<void>
  /**
   * Called at each heartbeat. `watchedNow` returns all exports that this replica watches. The store
   * calls it again just before each write, because watchers come and go meanwhile. Afterwards
   * exactly these exports count as watched here. Returns those of them that did not count as
   * watched before. The schedule may have dropped such an export, and its next look may come late.
   */
  renew(watchedNow: () => readonly ExportRef[]): Promise<readonly ExportRef[]>
  /**
   * Claims the due exports of each class, as many as `room` says, each with a new token. Those that
   * were looked at longest ago go first. A claimed export is due again when the visibility time-out
   * has passed, so the claims of a dead replica come back by themselves. A due time further ahead
   * than any interval was written before the clock was set back, so that export is due now.
   * `nextDueAt` is the earliest due time after that in the classes that have room left, claimed
   * exports included.
   */
  claim(now: number, room: PerClass): Promise<{ claims: Claim[]; nextDueAt: number | undefined }>
  /** Says when to look at the export next. If the claim is lost, returns false, changes nothing. */
  reschedule(claim: Pick<Claim, 'ref' | 'token' | 'firstSeenAt'>, plan: Plan): Promise<boolean>
  /** Returns one answer for each export, in their order. */
  find(refs: readonly ExportRef[]): Promise<readonly (Tracked | undefined)[]>
  /**
   * Returns the tracked exports of a campaign that were started through the gateway or seen pending,
   * at most `limit`, those first seen last first.
   */
  newest(campaign: CampaignRef, limit: number): Promise<readonly Tracked[]>
  /** Returns every export that is tracked, those of other replicas included, for operators. */
  all(): Promise<readonly Tracked[]>
  /** How many exports of each class are tracked, those of other replicas included. */
  count(): Promise<PerClass>
  /** Stops tracking the export. With a token it does so only while that claim holds. */
  untrack(ref: ExportRef, token?: string): Promise<boolean>
}
