/** What happened in a fleet, as its clients and lemlist saw it. Times are `performance.now()` ms. */

/** Names an export, its account included: what the checker compares by. */
export const keyOf = (account: string, campaignId: string, exportId: string): string =>
  `${account}/${campaignId}/${exportId}`

/** lemlist's script: from that time on it says this of the export. In the order of the script. */
export interface Said {
  readonly key: string
  readonly body: string
  readonly state: string
  readonly at: number
}

/** A client was shown a status. */
export interface Sighting {
  readonly client: string
  /** Of the export that the client asked for, as a caller of its account. */
  readonly key: string
  readonly via: 'stream' | 'read'
  readonly body: string
  /** Undefined where the client is not told the version of one. */
  readonly version: string | undefined
  readonly state: string
  readonly replica: string
  /** Number of the client's connection or request. */
  readonly turn: number
  readonly at: number
  /** When the request was sent. */
  readonly askedAt: number
  /** Marked as an old observation that stands in for an answer. */
  readonly stale: boolean
}

/** A client asked for an export: that may cost lemlist a call besides the polls. */
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

/** A client that follows an export on streams, from then on and to its end. */
export interface Follow {
  readonly client: string
  readonly key: string
  readonly from: number
}

/** An answer that ends an EventSource for good, or that no read should get. */
export interface Refusal {
  readonly client: string
  readonly status: number
  readonly replica: string
  readonly at: number
}

/** Something was broken on purpose. */
export interface Disturbance {
  readonly what: string
  /** Whether a replica may not reach Redis meanwhile, and so may not know what the others do. */
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

/** The same while it is written. */
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

/** What the checker found; an empty list of these is a clean record. */
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
