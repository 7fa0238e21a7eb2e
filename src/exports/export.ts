import { objectFrom, parsed } from './parsed.ts'

/** The words of the domain: exports, what lemlist says about them, and which statement wins. */

/** Names one campaign of an account. */
export type CampaignRef = Omit<ExportRef, 'exportId'>

/** Names one export. Every key has the account, so two lemlist teams never share an answer. */
export interface ExportRef {
  /** The lemlist account (API key) of the export; `default` when the gateway serves only one. */
  readonly account: string
  readonly campaignId: string
  readonly exportId: string
}

/** What lemlist said about one export at one moment. A snapshot never changes. */
export interface Snapshot {
  /** lemlist's JSON, byte for byte. At most 16 KiB. */
  readonly body: Uint8Array
  /** `status.status`: `pending`, `done`, `error`, or a word lemlist has not documented. */
  readonly state: string
  /** Hash of the body, equal on all replicas. It is the ETag and the SSE id, and shows changes. */
  readonly version: string
  /** When lemlist said it, as far as we know: when the answer came, epoch milliseconds. */
  readonly observedAt: number
  /**
   * When lemlist was asked, epoch milliseconds. So lemlist said it between then and `observedAt`.
   * Absent from a final status, which wins anyway, and from what an older version has observed.
   */
  readonly askedAt?: number
  /** When lemlist deletes the file of a final status, epoch milliseconds. Absent unless final. */
  readonly endOfLife?: number
}

/** A status for callers, and how long the gateway may repeat it. */
export interface Kept {
  readonly snapshot: Snapshot
  /** Until when the gateway repeats it without asking lemlist, epoch ms. Absent when not kept. */
  readonly keptUntil?: number | undefined
  /** When the gateway first saw the export, epoch milliseconds. */
  readonly firstSeenAt: number
}

/** The name of the account when the gateway has one lemlist key. */
export const DEFAULT_ACCOUNT = 'default'

/** lemlist's ids of exports. Nothing that is no such id gets into a path, a key or an answer. */
export const EXPORT_ID = /^[a-z]{3}_[A-Za-z0-9]{1,64}$/

/**
 * The same id as a string of its own. A piece of a URL must be read again for each comparison, and keeps the
 * whole URL in memory, which may be much longer. Ids are ASCII.
 */
export const copyOfId = (id: string): string => Buffer.from(id, 'latin1').toString('latin1')

/** Whether both name the same export. */
export const isSameExport = (one: ExportRef, other: ExportRef): boolean =>
  one === other ||
  (one.exportId === other.exportId &&
    one.campaignId === other.campaignId &&
    one.account === other.account)

/**
 * Who opens a stream or reads a status asks several maps for the same export, one after the other, and many
 * clients of one export may come at once.
 */
let latest: ExportRef | undefined
let latestKey = ''

/** One string per export. `/` is forbidden in account names and ids, so no two refs share a key. */
export const keyOf = (ref: ExportRef): string => {
  if (latest === undefined || !isSameExport(ref, latest)) {
    latestKey = `${ref.account}/${ref.campaignId}/${ref.exportId}`
    latest = ref
  }
  return latestKey
}

/** The key of a campaign in maps and stores. */
export const campaignKeyOf = ({ account, campaignId }: CampaignRef): string =>
  `${account}/${campaignId}`

/** `done` and `error` end an export. An undocumented word is neither pending nor final. */
export const isFinal = (snapshot: Pick<Snapshot, 'state'>): boolean =>
  snapshot.state === 'done' || snapshot.state === 'error'

export const isPending = (snapshot: Pick<Snapshot, 'state'>): boolean =>
  snapshot.state === 'pending'

/**
 * Whether the body is a status of this state, as lemlist's are. The gateway reads the body again for a
 * file, so it takes none from outside that says something else.
 */
export const tells = ({ body, state }: Pick<Snapshot, 'body' | 'state'>): boolean => {
  const { status } = objectFrom(parsed(Buffer.from(body).toString()))
  return objectFrom(status).status === state
}

/** Whether the file is deleted by the gateway's arithmetic. lemlist may still give the status. */
export const isPastLife = ({ endOfLife }: Pick<Snapshot, 'endOfLife'>, at: number): boolean =>
  endOfLife !== undefined && endOfLife <= at

/** Whether the file was deleted already when lemlist gave the status. The store keeps none such. */
export const cameTooLate = (snapshot: Pick<Snapshot, 'endOfLife' | 'observedAt'>): boolean =>
  isPastLife(snapshot, snapshot.observedAt)

/**
 * Where a status was observed: on this replica by its last call, or on another one, whose news may
 * arrive late.
 */
export type ObservedOn = 'here' | 'elsewhere'

/** A status, and where it was observed. */
export interface Observed {
  readonly snapshot: Snapshot
  readonly from: ObservedOn
}

/**
 * Whether `next` may be shown after `previous`. A final status beats a pending one, the first final
 * status wins, and otherwise the later one wins. So a status never runs backwards, whichever
 * replica it comes from.
 *
 * The observations of this replica arrive in the order of its calls, so of two of them `next` is the
 * later one. All others are compared by their times. When `previous` lies in the future, the clock
 * was set back and the times say nothing, so `next` is taken.
 *
 * @param now epoch milliseconds
 */
export const supersedes = (
  next: Observed,
  previous: Observed | undefined,
  now: number,
): boolean => {
  if (previous === undefined) return true
  if (isFinal(previous.snapshot)) return false
  if (isFinal(next.snapshot) || next.snapshot === previous.snapshot) return true
  if (next.from === 'here' && previous.from === 'here') return true
  return isSurelyLater(next.snapshot, previous.snapshot) || previous.snapshot.observedAt > now
}

/**
 * Two replicas may ask lemlist at the same time, and one of them may take its answer late, because its
 * process stood still. So only a look that began when the other answer had come is surely later. Of
 * two looks at the same time the first that was told stays, and the next look tells what is true then.
 */
const isSurelyLater = (next: Snapshot, previous: Snapshot): boolean =>
  (next.askedAt ?? next.observedAt) >= previous.observedAt

/** lemlist is no older than this. An earlier date is a default value, not the end of an export. */
const FIRST_PLAUSIBLE_END = Date.UTC(2018, 0, 1)
/** The text must look like a date, because `Date.parse` alone finds a year in nearly any text. */
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/**
 * Returns when lemlist deletes the file of a final status, epoch milliseconds: `endedAt` + 24 h.
 * Without a usable `endedAt`, or with one in the future, the 24 h count from `observedAt`.
 *
 * @param endedAt lemlist's ISO 8601 date; lemlist may send a value of any type
 * @param observedAt when the gateway first saw the final status, epoch milliseconds
 * @param fileTtlMs lemlist's 24 h in milliseconds
 */
export const endOfLife = (endedAt: unknown, observedAt: number, fileTtlMs: number): number => {
  const isDate = typeof endedAt === 'string' && ISO_DATE.test(endedAt)
  const ended = isDate ? Date.parse(endedAt) : Number.NaN
  const usable = ended >= FIRST_PLAUSIBLE_END && ended <= observedAt
  return (usable ? ended : observedAt) + fileTtlMs
}
