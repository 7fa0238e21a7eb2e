/** The words of the domain: which export, what lemlist said of it, and which of two sayings wins. */

/** Names one campaign of an account. */
export type CampaignRef = Omit<ExportRef, 'exportId'>

/** Names one export. The account is part of every key, so that two lemlist teams never share an answer. */
export interface ExportRef {
  /** The lemlist account (API key) it belongs to; `default` when the gateway serves one. */
  readonly account: string
  readonly campaignId: string
  readonly exportId: string
}

/** What lemlist said about one export at one moment. Never changed after it is made. */
export interface Snapshot {
  /** lemlist's JSON, byte for byte. At most 16 KiB. */
  readonly body: Uint8Array
  /** `status.status`: `pending`, `done`, `error`, or a word lemlist has not documented. */
  readonly state: string
  /** Hash of the body: ETag, SSE id and change test in one, equal on all replicas. */
  readonly version: string
  /** When lemlist said it, epoch milliseconds. */
  readonly observedAt: number
  /** When the file behind a final status is deleted, epoch milliseconds; absent unless final. */
  readonly endOfLife?: number
}

/** A status to show and how long it may be shown. */
export interface Kept {
  readonly snapshot: Snapshot
  /** Until when it is repeated without asking lemlist, epoch ms; absent when it is not kept at all. */
  readonly keptUntil?: number
  /** When the export was first seen, epoch milliseconds. */
  readonly firstSeenAt: number
}

/** The account of a gateway that holds one lemlist key. */
export const DEFAULT_ACCOUNT = 'default'

/** One string per export. `/` is forbidden in account names and ids, so no two refs share a key. */
export const keyOf = (ref: ExportRef): string => `${ref.account}/${ref.campaignId}/${ref.exportId}`

/** `done` and `error` end an export; a word unknown to us is neither pending nor final. */
export const isFinal = (snapshot: Pick<Snapshot, 'state'>): boolean =>
  snapshot.state === 'done' || snapshot.state === 'error'

export const isPending = (snapshot: Pick<Snapshot, 'state'>): boolean =>
  snapshot.state === 'pending'

/**
 * Whether `next` may be shown after `previous`: final beats pending, the first final wins, later
 * beats earlier. A status never runs backwards, from whichever replica it comes.
 */
export const supersedes = (next: Snapshot, previous: Snapshot | undefined): boolean => {
  if (previous === undefined) return true
  if (isFinal(previous)) return false
  return isFinal(next) || next.observedAt >= previous.observedAt
}

/** No export of lemlist ended before lemlist existed; an earlier date is a default, not a fact. */
const FIRST_PLAUSIBLE_END = Date.UTC(2018, 0, 1)
/** Date.parse alone finds a year in nearly any text. */
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/**
 * When a final status loses its file: `endedAt` + 24 h. Without a usable `endedAt`, or with one in
 * the future, the life counts from when the status was first seen.
 *
 * @param endedAt lemlist's ISO 8601 date, of whatever type it came
 * @param fileTtlMs lemlist's 24 h in milliseconds
 */
export const endOfLife = (endedAt: unknown, observedAt: number, fileTtlMs: number): number => {
  const isDate = typeof endedAt === 'string' && ISO_DATE.test(endedAt)
  const ended = isDate ? Date.parse(endedAt) : Number.NaN
  const usable = ended >= FIRST_PLAUSIBLE_END && ended <= observedAt
  return (usable ? ended : observedAt) + fileTtlMs
}
