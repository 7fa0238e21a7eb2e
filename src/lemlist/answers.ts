import { createHash } from 'node:crypto'
import {
  type CampaignRef,
  EXPORT_ID,
  type ExportRef,
  endOfLife,
  isFinal,
  type Snapshot,
} from '../exports/export.ts'
import type { Started } from '../exports/ports.ts'
import { campaignNotFound, essence, invalid, refusalOf } from './refusals.ts'

/** An answer of lemlist as it was received. Its body is complete, or cut at the cap of 16 KiB. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
  /** Whether the body was longer than the cap, so that `body` is only its beginning. */
  readonly cut: boolean
  /** When lemlist was asked, epoch milliseconds. No later than `receivedAt`. */
  readonly askedAt: number
  /** When the answer was received, epoch milliseconds. */
  readonly receivedAt: number
}

/**
 * Copies bytes into a buffer of their own. A small buffer is a slice of Node's pool. Snapshots are
 * kept for a day, and each slice would keep the whole 8 KiB of its pool in memory.
 */
const copyOf = (bytes: Uint8Array): Uint8Array => {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

/** The first 132 bits of the SHA-256, as 22 URL-safe characters that fit an ETag and an SSE id. */
const versionOf = (body: Uint8Array): string =>
  createHash('sha256').update(body).digest('base64url').slice(0, 22)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Turns an answer of lemlist into a snapshot of its bytes, or throws the problem to tell callers.
 * Checks the HTTP status first, then the content type, the JSON and its shape. A 200 alone proves
 * nothing: lemlist answers unknown paths with 200 and HTML, and answers 200 and `{}` when one of
 * its handlers fails.
 *
 * @param fileTtlMs lemlist's 24 h in milliseconds
 * @throws Problem for everything but a 200 of the documented shape for the export asked for
 */
export const toSnapshot = (ref: ExportRef, answer: RawAnswer, fileTtlMs: number): Snapshot => {
  if (answer.status !== 200) throw refusalOf(answer)
  const status = statusIn(ref, answer)
  const state = status.status
  if (typeof state !== 'string') throw invalid('status.status is missing or is not a string')
  const snapshot = {
    body: copyOf(answer.body),
    state,
    version: versionOf(answer.body),
    observedAt: answer.receivedAt,
  }
  if (!isFinal(snapshot)) return { ...snapshot, askedAt: answer.askedAt }
  return { ...snapshot, endOfLife: endOfLife(status.endedAt, answer.receivedAt, fileTtlMs) }
}

/**
 * Reads the export that lemlist has started. The answer is a bare object, without the
 * `{ok, status}` that is around a status.
 *
 * @throws Problem for everything but a 200 of the documented shape for the campaign asked for
 */
export const toStarted = ({ campaignId }: CampaignRef, answer: RawAnswer): Started => {
  if (answer.status !== 200) {
    const problem = refusalOf(answer)
    // A start names a campaign and no export. So whatever lemlist does not know is the campaign.
    throw problem.code === 'export-not-found' ? campaignNotFound(404) : problem
  }
  const started = documentIn(answer)
  const exportId = started.id ?? started._id
  if (typeof exportId !== 'string' || !EXPORT_ID.test(exportId)) throw invalid('no valid export id')
  if (differs(started._id, exportId) || differs(started.campaignId, campaignId)) {
    throw invalid('the answer is about another export')
  }
  return { body: answer.body, exportId }
}

const documentIn = ({ headers, body, cut }: RawAnswer): Json => {
  if (cut) throw invalid('the body is larger than the cap')
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw invalid('the body is encoded')
  if (essence(headers['content-type']) !== 'application/json') throw invalid('the type is not JSON')
  const document = parseJson(body)
  if (!isObject(document) || document.ok === false) throw invalid('not of the documented shape')
  return document
}

const statusIn = (ref: ExportRef, answer: RawAnswer): Json => {
  const { status } = documentIn(answer)
  if (!isObject(status)) throw invalid('the answer has no status object')
  // Without this check, the answer about another export would be kept as this export's for a day.
  const foreign =
    differs(status.id, ref.exportId) ||
    differs(status._id, ref.exportId) ||
    differs(status.campaignId, ref.campaignId)
  if (foreign) throw invalid('the answer is about another export')
  return status
}

const differs = (said: unknown, asked: string): boolean =>
  said !== undefined && said !== null && said !== asked

const parseJson = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    throw invalid('the body is not JSON')
  }
}
