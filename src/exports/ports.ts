import type { Readable } from 'node:stream'
import type { ProblemCode } from '../problems.ts'
import type { CampaignRef, ExportRef, Snapshot } from './export.ts'
import type { Schedule } from './schedule.ts'

/** What the domain needs from outside. `lemlist/` and `store/` implement these. */

/** A place in the waiting line in front of lemlist. Both times are monotonic (`performance.now()`). */
export interface Turn {
  /** The earliest due goes first. */
  readonly due: number
  /** When waiting in line is given up; `Infinity` for a poll. Says nothing about a call under way. */
  readonly giveUpAt: number
}

/** One look at lemlist: it waits for its slot, then it runs. Nobody's abort cancels it. */
export interface Look {
  /** Resolves when it leaves the line, for whatever reason. */
  readonly started: Promise<void>
  /** Rejects with a `Problem`. */
  readonly answer: Promise<Snapshot>
  /** Whether it still stands in line. */
  isWaiting(): boolean
  /** Moves it forward to the earlier due time and keeps it in line until the later give-up time. */
  hurry(turn: Turn): void
}

/** An export that lemlist has just begun. */
export interface Started {
  /** lemlist's bare object, byte for byte. */
  readonly body: Uint8Array
  readonly exportId: string
}

/** A file of lemlist's that has begun to come. */
export interface FileAnswer {
  /** 200, 206 for the range asked for, or 416 when there is no such range. */
  readonly status: 200 | 206 | 416
  /** Bytes of the body, when lemlist says so. */
  readonly length: number | undefined
  /** Whether lemlist marks the end of the body; if not, a connection that breaks looks like the end. */
  readonly framed: boolean
  /** `Content-Range`, well-formed: with 206 always, with 416 perhaps. */
  readonly range: string | undefined
  /** Errors when lemlist breaks off; destroying it ends the call. */
  readonly body: Readable
}

export interface Upstream {
  /**
   * Opens a file by its name, which the client encodes again. `range` is one `bytes=` range.
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
  /** Begins an export: one call, never repeated, whatever becomes of it. @throws Problem */
  start(campaign: CampaignRef, turn: Turn): Promise<Started>
  /** Asks lemlist for the status of an export. Never throws itself; the answer rejects. */
  status(ref: ExportRef, turn: Turn): Look
}

/** A final status, kept until `forgetAt`; at the snapshot's end of life its bytes are dropped. */
export interface FinalRecord {
  readonly kind: 'final'
  readonly snapshot: Snapshot & { readonly endOfLife: number }
  /** End of life + the file's 24 h, epoch milliseconds: when not even 410 is answered any more. */
  readonly forgetAt: number
}
/** lemlist gave up on the export: it was pending and is not known any more. */
export interface TimedOutRecord {
  readonly kind: 'timed-out'
  readonly forgetAt: number
}
/** What is left of a final record after its end of life. Comes out of a store, is never put in. */
export interface ExpiredRecord {
  readonly kind: 'expired'
  readonly forgetAt: number
}
export type ResultRecord = FinalRecord | TimedOutRecord | ExpiredRecord

/** The answers that are final. Survives what the store survives. */
export interface Results {
  get(ref: ExportRef): Promise<ResultRecord | undefined>
  /** As many answers as refs, in their order. */
  getMany(refs: readonly ExportRef[]): Promise<(ResultRecord | undefined)[]>
  /**
   * Put-if-absent; returns what is kept. A `final` beats a `timed-out`; nothing beats a `final` or
   * what is left of it.
   */
  put(ref: ExportRef, record: FinalRecord | TimedOutRecord): Promise<ResultRecord>
}

/** The calls of one lemlist key, shared by everybody who uses the store. */
export interface Budget {
  /** 0 = a call may leave now and is counted; else milliseconds until asking again makes sense. */
  take(account: string): Promise<number>
  /** No call leaves before this many milliseconds have passed: what a 429 or 503 of lemlist asked for. */
  pause(account: string, ms: number): Promise<void>
  /** How long it makes sense that a caller waits for a call now, ms: less while there are few, or none. */
  patienceMs?(): number
}

/** What became known of an export, told to every replica. */
export type Update =
  | { readonly kind: 'status'; readonly snapshot: Snapshot }
  /** Trouble that passes. */
  | { readonly kind: 'trouble'; readonly code: ProblemCode; readonly detail: string }
  /** It is over without a final status. */
  | { readonly kind: 'gone'; readonly code: ProblemCode; readonly detail: string }

/** Between replicas. A hint that may be lost: the store is the truth. */
export interface Updates {
  publish(ref: ExportRef, update: Update): Promise<void>
  /** One listener; it is told of what is published here too. */
  listen(listener: (ref: ExportRef, update: Update) => void): void
}

/** The limits of one lemlist key that every `Budget` keeps. */
export interface BudgetLimits {
  /** Calls in any window: lemlist's limit less the reserve. At least 1. */
  readonly calls: number
  readonly windowMs: number
}

/** What became of a piece of work that is to be done once. */
export type Begun =
  /** It is the caller's to do; he finishes or forgets it. */
  | { readonly state: 'yours' }
  | { readonly state: 'in-progress' }
  /** It was begun, and how it ended was never learnt. */
  | { readonly state: 'unknown' }
  | { readonly state: 'finished'; readonly answer: Uint8Array }

/** Work that is done once per key, for 24 h, over restarts and replicas. Keys are hashes of one length. */
export interface Idempotency {
  /** Takes the key, or says what became of it. In progress turns to unknown at `inProgressUntil`. */
  begin(
    key: string,
    until: { readonly inProgressUntil: number; readonly forgetAt: number },
  ): Promise<Begun>
  /** At most 16 KiB. Keeps the time at which it is forgotten. */
  finish(key: string, answer: Uint8Array): Promise<void>
  /** Nobody will ever learn how it ended: unknown from now on. */
  giveUp(key: string): Promise<void>
  /** Nothing was done: the key is free again. */
  forget(key: string): Promise<void>
}

/** What a store that replicas share does of its own accord. */
export interface StoreListener {
  /** Another schedule is in use: Redis went away and one in memory stands in for it, or Redis is back. */
  switched(): void
  /** Updates of other replicas may have been lost. */
  missed(): void
}

export interface Store {
  readonly idempotency: Idempotency
  readonly results: Results
  readonly schedule: Schedule
  readonly updates: Updates
  readonly budget: Budget
  /** Resolves when it can be used, or stands in for what cannot. Where there is nothing to wait for, absent. */
  ready?(): Promise<void>
  /** One listener. Absent where nothing of the kind happens. */
  listen?(listener: StoreListener): void
  /** Whether it answers; never rejects. */
  healthy(): Promise<boolean>
  /** Flushes and lets go. Idempotent. */
  close(): Promise<void>
}

/** Counts and logs what the domain sees; implemented where logs are known. */
export interface Observer {
  /** lemlist said something its documentation does not know. */
  drift(kind: 'unknown-state' | 'shape' | 'past-life'): void
  /** The store failed; the gateway goes on without it. */
  storeFailed(operation: string, error: unknown): void
  /** A bug: something was thrown that nobody foresaw. */
  failed(operation: string, error: unknown): void
}
