import type { ExportRef, Snapshot } from './export.ts'

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
  /** Rejects with a `Problem`. */
  readonly answer: Promise<Snapshot>
  /** Whether it still stands in line. */
  isWaiting(): boolean
  /** Moves it forward to the earlier due time and keeps it in line until the later give-up time. */
  hurry(turn: Turn): void
}

export interface Upstream {
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
}

/** The limits of one lemlist key that every `Budget` keeps. */
export interface BudgetLimits {
  /** Calls in any window: lemlist's limit less the reserve. At least 1. */
  readonly calls: number
  readonly windowMs: number
}

export interface Store {
  readonly results: Results
  readonly budget: Budget
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
}
