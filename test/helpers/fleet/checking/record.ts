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

/** A client read once and got an answer, whatever its status. */
export interface Answer {
  readonly client: string
  readonly key: string
  readonly replica: string
  readonly status: number
  /** The code of the problem, if the answer is one. */
  readonly code: string | undefined
  readonly askedAt: number
  readonly at: number
}

/** A follower opened a connection with the `Last-Event-ID` that another connection had given it. */
export interface Return {
  readonly client: string
  readonly keys: readonly string[]
  readonly replica: string
  readonly at: number
}

/**
 * What a disturbance does to the replicas that it hits:
 * - `blinds`: a replica may be without Redis, and so may not know what the others know.
 * - `loses`: the replica is without Redis from the begin to the end of the work.
 * - `empties`: Redis loses what it holds.
 * - `restarts`: a new process takes the place of the old one.
 * - `halts`: the replica does not answer for a while.
 * - `slows`: Redis answers late.
 */
export type Effect = 'blinds' | 'loses' | 'empties' | 'restarts' | 'halts' | 'slows'

/** The test broke something on purpose. */
export interface Disturbance {
  readonly what: string
  readonly effects: readonly Effect[]
  /** The replica that it hits. Absent: it hits all of them. */
  readonly replica?: string | undefined
  readonly from: number
  /** When the test stopped to break it. */
  readonly endedAt: number
  /** Until when its consequences may show. */
  readonly to: number
}

/** Whether the disturbance does this to the replica. */
export const does = (
  { effects, replica }: Pick<Disturbance, 'effects' | 'replica'>,
  effect: Effect,
  to: string,
): boolean => effects.includes(effect) && (replica === undefined || replica === to)

export interface FleetRecord {
  readonly said: readonly Said[]
  readonly sightings: readonly Sighting[]
  readonly asks: readonly Ask[]
  readonly follows: readonly Follow[]
  readonly refusals: readonly Refusal[]
  readonly answers: readonly Answer[]
  readonly returns: readonly Return[]
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
  readonly answers: Answer[]
  readonly returns: Return[]
  readonly disturbances: Disturbance[]
}

export const createRecorder = (): Recorder => ({
  said: [],
  sightings: [],
  asks: [],
  follows: [],
  refusals: [],
  answers: [],
  returns: [],
  disturbances: [],
})

let turns = 0
/** Numbers the connections and requests of all clients. */
export const nextTurn = (): number => {
  turns += 1
  return turns
}

/** lemlist's word for the state. */
export const stateIn = (body: string): string => String(JSON.parse(body).status?.status)

export const isFinalState = (state: string): boolean => state === 'done' || state === 'error'

/** What lemlist said of each export, oldest first. */
export const scriptOf = ({
  said,
}: Pick<FleetRecord, 'said'>): ReadonlyMap<string, readonly Said[]> =>
  Map.groupBy(said, ({ key }) => key)

/** Describes a sighting in a violation. */
export const shown = ({ client, key, replica, via, state, at, stale }: Sighting): string =>
  `${client} by ${via} of ${key} on ${replica} at ${Math.round(at)}: ${stale ? 'stale ' : ''}${state}`

/** A broken rule that the checker has found. */
export interface Violation {
  readonly rule:
    | 'nothing-to-check'
    | 'final-lost'
    | 'final-late'
    | 'step-back'
    | 'turned-back'
    | 'cold-refused'
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
