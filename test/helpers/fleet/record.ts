/** What happened in a fleet, as clients and lemlist saw it. Times are `performance.now()` ms. */

/** The name of an export for the checker. The account is a part of it. */
export const keyOf = (account: string, campaignId: string, exportId: string): string =>
  `${account}/${campaignId}/${exportId}`

/** From this time on lemlist says this of the export. The entries are in the order of time. */
export interface Said {
  readonly key: string
  readonly body: string
  readonly state: string
  readonly at: number
}

/** A client was shown a status. */
export interface Sighting {
  readonly client: string
  /** The key of the export that the client asked for, with the account of that client. */
  readonly key: string
  readonly via: 'stream' | 'read'
  readonly body: string
  /** Undefined on a many-exports stream, which does not tell the version of a single export. */
  readonly version: string | undefined
  readonly state: string
  readonly replica: string
  /** The number of the connection or request, unique among all clients. */
  readonly turn: number
  readonly at: number
  /** When the request was sent. */
  readonly askedAt: number
  /** Whether the answer is an old observation and marked so. */
  readonly stale: boolean
}

/** A client asked for an export, which may cost lemlist a call besides the polls. */
export interface Ask {
  readonly key: string
  readonly from: number
  to: number
}

/** lemlist was asked for a status. */
export interface StatusCall {
  readonly key: string
  readonly replica: string
  readonly at: number
}

/** A client follows an export on streams, from this time on until the export ends. */
export interface Follow {
  readonly client: string
  readonly key: string
  readonly from: number
}

/** A client got an answer that stops an EventSource for good, or that no read should get. */
export interface Refusal {
  readonly client: string
  readonly status: number
  readonly replica: string
  readonly at: number
}

/** The test broke something on purpose. */
export interface Disturbance {
  readonly what: string
  /** Whether a replica may be without Redis meanwhile, and so may not know what the others know. */
  readonly blinds: boolean
  readonly from: number
  readonly to: number
}

export interface FleetRecord {
  readonly said: readonly Said[]
  readonly sightings: readonly Sighting[]
  readonly asks: readonly Ask[]
  readonly follows: readonly Follow[]
  readonly refusals: readonly Refusal[]
  readonly calls: readonly StatusCall[]
  readonly disturbances: readonly Disturbance[]
}

/** The part of the record that the test itself writes. */
export interface Recorder {
  readonly said: Said[]
  readonly sightings: Sighting[]
  readonly asks: Ask[]
  readonly follows: Follow[]
  readonly refusals: Refusal[]
  readonly disturbances: Disturbance[]
}

export const createRecorder = (): Recorder => ({
  said: [],
  sightings: [],
  asks: [],
  follows: [],
  refusals: [],
  disturbances: [],
})

export const isFinalState = (state: string): boolean => state === 'done' || state === 'error'

/** A broken rule that the checker has found. */
export interface Violation {
  readonly rule:
    | 'nothing-to-check'
    | 'final-lost'
    | 'final-late'
    | 'step-back'
    | 'never-said'
    | 'foreign'
    | 'out-of-date'
    | 'two-versions'
    | 'refused'
    | 'window'
    | 'polled-twice'
    | 'too-many-polls'
    | 'starved'
  readonly detail: string
}
