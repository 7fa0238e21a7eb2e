import type { Readable } from 'node:stream'
import type { ProblemCode } from '../problems.ts'
import type { CampaignRef, ExportRef, ObservedOn, Snapshot } from './export.ts'
import type { CallClass, Schedule } from './schedule.ts'

/** The ports: what the domain needs from outside. `lemlist/` and `store/` implement them. */

/** The times of a call in the waiting line before lemlist, on the clock of `performance.now()`. */
export interface Turn {
  /** The call with the earliest `due` leaves the line first. */
  readonly due: number
  /** When the call gives up waiting in line. A call under way goes on. */
  readonly giveUpAt: number
  /**
   * When the call must have left the line, whoever joins it. A poll's claim ends some time after
   * that, and then another replica may look. Without it the call may wait as long as somebody wants.
   */
  readonly latestAt?: number
  /**
   * Whose share of the slots the call uses. A caller's call uses that of `watched` or
   * `unconfirmed`.
   */
  readonly callClass: CallClass
  /**
   * Asked while the call waits in line and when a slot is free. A call that nobody wants any more
   * leaves the line and costs nothing. Without this function the call is always wanted.
   */
  readonly isWanted?: () => boolean
}

/** One look at lemlist. It waits for its slot, then it runs. No caller can cancel it. */
export interface Look {
  /** Resolves when the look leaves the line, for whatever reason. */
  readonly started: Promise<void>
  /** Rejects with a `Problem`. */
  readonly answer: Promise<Snapshot>
  /** Whether the look still waits in line. */
  isWaiting(): boolean
  /**
   * Gives the look the earlier due time, the later give-up time and the better class of both turns.
   */
  hurry(turn: Turn): void
}

/** An export that lemlist has just begun. */
export interface Started {
  /** lemlist's object, byte for byte. It is not wrapped like that of a status. */
  readonly body: Uint8Array
  readonly exportId: string
}

/** A file that lemlist has begun to send. */
export interface FileAnswer {
  /** 200, 206 for the requested range, or 416 when the file has no such range. */
  readonly status: 200 | 206 | 416
  /** How many bytes the body has. Undefined when lemlist does not say. */
  readonly length: number | undefined
  /** Whether lemlist marks the end of the body. If not, a broken connection looks like the end. */
  readonly framed: boolean
  /** A well-formed `Content-Range`. A 206 always has one, a 416 may have one. */
  readonly range: string | undefined
  /** Whether lemlist is known to serve parts of this file: it said so, or it did so. */
  readonly servesRanges: boolean
  /** Emits an error when lemlist breaks off. Destroying the stream ends the call to lemlist. */
  readonly body: Readable
}

export interface Upstream {
  /**
   * Opens a file by its decoded name, which the client encodes. `range` is one `bytes=` range.
   * @throws Problem
   */
  file(
    name: string,
    options: {
      readonly range: string | undefined
      readonly turn: Turn
      readonly signal: AbortSignal
    },
  ): Promise<FileAnswer>
  /**
   * Begins an export with one call, which is never repeated, even when it fails.
   * @throws Problem
   */
  start(campaign: CampaignRef, turn: Turn): Promise<Started>
  /** Asks lemlist for the status of an export. Never throws: a failure rejects `answer`. */
  status(ref: ExportRef, turn: Turn): Look
}

/** A final status. The store drops its bytes at `endOfLife` and forgets the rest at `forgetAt`. */
export interface FinalRecord {
  readonly kind: 'final'
  readonly snapshot: Snapshot & { readonly endOfLife: number }
  /** End of life + the file's 24 h, epoch milliseconds. Between the two the gateway answers 410. */
  readonly forgetAt: number
}
/** lemlist gave up on the export: it was pending, and lemlist does not know it any more. */
export interface TimedOutRecord {
  readonly kind: 'timed-out'
  readonly forgetAt: number
}
/** What is left of a final record after its end of life. Stores return it. Nobody puts it in. */
export interface ExpiredRecord {
  readonly kind: 'expired'
  readonly forgetAt: number
}
export type ResultRecord = FinalRecord | TimedOutRecord | ExpiredRecord

/** A record in the list of its campaign. */
export interface ListedResult {
  readonly ref: ExportRef
  /** Epoch milliseconds. */
  readonly firstSeenAt: number
  readonly record: FinalRecord | TimedOutRecord
}

/** The final answers. They survive a restart if the store does. */
export interface Results {
  get(ref: ExportRef): Promise<ResultRecord | undefined>
  /** Returns one answer for each ref, in the order of the refs. */
  getMany(refs: readonly ExportRef[]): Promise<(ResultRecord | undefined)[]>
  /**
   * Puts the record if there is none, and returns the record that is kept then. A `final` replaces
   * a `timed-out`. Nothing replaces a `final` or what is left of it.
   *
   * @param firstSeenAt when the gateway first saw the export, epoch milliseconds. The list of its
   * campaign is in this order. Default: when lemlist said what is put, as far as the record says it
   */
  put(
    ref: ExportRef,
    record: FinalRecord | TimedOutRecord,
    firstSeenAt?: number,
  ): Promise<ResultRecord>
  /**
   * Returns the records of a campaign, at most `limit`, those first seen last first. An expired
   * record is not one of them. A store may forget the oldest of a campaign, but never of the last
   * hundreds.
   */
  newest(campaign: CampaignRef, limit: number): Promise<readonly ListedResult[]>
}

/** The calls that may be made with each lemlist key, shared by everybody who uses the store. */
export interface Budget {
  /**
   * Returns 0 and counts a call that may leave now. Otherwise returns the milliseconds to wait.
   *
   * @param isDue whether a call waits now whose time has come, such as a caller's. A budget with only
   * a few calls left gives them to nobody else. It asks when it gives one, because the caller may
   * leave while the store is asked. Default: none waits
   */
  take(account: string, isDue?: () => boolean): Promise<number>
  /** Lets no call leave for `ms` milliseconds, because a 429 or 503 of lemlist asked for that. */
  pause(account: string, ms: number): Promise<void>
  /** Returns how long such a pause still lasts, milliseconds; 0 when there is none. */
  pausedMs(account: string): Promise<number>
  /** The longest that a caller should wait for a call now, ms. Short while few calls may leave. */
  patienceMs?(): number
  /** Whether there are so few calls now that the earliest due goes first, whatever its class. */
  isScarce?(): boolean
}

/** News about an export, for every replica. */
export type Update =
  | { readonly kind: 'status'; readonly snapshot: Snapshot }
  /** There is trouble that will pass. */
  | { readonly kind: 'trouble'; readonly code: ProblemCode; readonly detail: string }
  /** The export is over without a final status. */
  | { readonly kind: 'gone'; readonly code: ProblemCode; readonly detail: string }
  /** The gateway follows the export from now on. Whoever lists its campaign can list it. */
  | { readonly kind: 'followed' }

/** News for those who watch the export itself. */
export type Change = Exclude<Update, { kind: 'followed' }>

/** Carries updates between replicas. They are hints and may get lost: the store is the truth. */
export interface Updates {
  publish(ref: ExportRef, update: Update): Promise<void>
  /** Sets the only listener. It also hears what this replica publishes. */
  listen(listener: UpdateListener): void
}

export type UpdateListener = (ref: ExportRef, update: Update, from: ObservedOn) => void

/** The limits of one lemlist key that every `Budget` keeps. */
export interface BudgetLimits {
  /** How many calls may leave in any window: lemlist's limit minus the reserve. At least 1. */
  readonly calls: number
  readonly windowMs: number
}

/** The state of a piece of work that must be done only once. */
export type Begun =
  /** The caller must do the work, and must then finish it, give it up or forget it. */
  | { readonly state: 'yours' }
  | { readonly state: 'in-progress' }
  /** The work was begun, and nobody has learnt how it ended. */
  | { readonly state: 'unknown' }
  | { readonly state: 'finished'; readonly answer: Uint8Array }

/** Work that is done once per key, over restarts and replicas. Keys are hashes of one length. */
export interface Idempotency {
  /**
   * Takes the key, or says what became of it. Both times are epoch milliseconds. At
   * `inProgressUntil` the state `in-progress` turns into `unknown`; at `forgetAt` the key is free
   * again.
   */
  begin(
    key: string,
    until: { readonly inProgressUntil: number; readonly forgetAt: number },
  ): Promise<Begun>
  /** Keeps the answer, which has at most 16 KiB, until the key is forgotten. */
  finish(key: string, answer: Uint8Array): Promise<void>
  /** Says that nobody will learn how the work ended. Its state is `unknown` from now on. */
  giveUp(key: string): Promise<void>
  /** Says that nothing was done. The key is free again. */
  forget(key: string): Promise<void>
}

/** Hears of events in a store that several replicas share. */
export interface StoreListener {
  /**
   * Called when the store has begun to use another schedule: one in memory, because Redis went
   * away, or the one in Redis, because Redis is back.
   */
  switched(): void
  /** Called when updates of other replicas may have been lost. */
  missed(): void
}

export interface Store {
  readonly idempotency: Idempotency
  readonly results: Results
  /**
   * The schedule of one account, always the same object for the same name. No schedule sees, claims
   * or renews the exports of another one, and the bounds hold for each of them.
   */
  schedule(account: string): Schedule
  readonly updates: Updates
  readonly budget: Budget
  /** Resolves when the store can be used, with or without Redis. Absent if no wait is needed. */
  ready?(): Promise<void>
  /** Sets the only listener. Absent in a store without such events. */
  listen?(listener: StoreListener): void
  /**
   * Whether a store that replicas share is away, or was until a moment ago. Then other replicas may
   * know more than this one. Absent in a store that is never away.
   */
  isAway?(): boolean
  /** Whether the store does all that it is for. Never rejects. */
  healthy(): Promise<boolean>
  /** Whether a store that is not healthy stays so until the operator changes a setting or a right. */
  isMisconfigured?(): boolean
  /** Writes what is not written yet and closes the store. Idempotent. */
  close(): Promise<void>
}

/** Logs what the domain reports. `telemetry/` implements it. */
export interface Observer {
  /** lemlist said something that it has not documented. */
  drift(kind: 'unknown-state' | 'shape' | 'past-life'): void
  /** The store failed, and the gateway goes on without it. */
  storeFailed(operation: string, error: unknown): void
  /** The schedule has no room for so many exports, so the gateway does not follow them. */
  scheduleFull(exports: number): void
  /** A poll left so many milliseconds after its due time. Absent where nothing is counted. */
  pollLag?(ms: number): void
  /** A watched export was seen to be over. The look before was so many milliseconds ago. */
  detected?(ms: number): void
  /** An operation threw an error that nobody expected. This is a bug. */
  failed(operation: string, error: unknown): void
}
