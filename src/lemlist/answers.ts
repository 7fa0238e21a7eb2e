import { createHash } from 'node:crypto'
import {
  type CampaignRef,
  type ExportRef,
  endOfLife,
  isFinal,
  type Snapshot,
} from '../exports/export.ts'
import type { Started } from '../exports/ports.ts'
import { campaignNotFound, essence, invalid, refusalOf } from './refusals.ts'

/** An answer of lemlist as it came, its body read whole or cut at the cap. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
  /** The body was longer than the cap, so `body` is only its beginning. */
  readonly cut: boolean
  /** Epoch milliseconds. */
  readonly receivedAt: number
}

/** Small buffers are slices of Node's pool: kept for a day, each would hold on to 8 KiB of it. */
const copyOf = (bytes: Uint8Array): Uint8Array => {
  const copy = Buffer.allocUnsafeSlow(bytes.byteLength)
  copy.set(bytes)
  return copy
}

/** 128 bits of SHA-256 as 22 URL-safe characters: fits an ETag and an SSE id. */
const versionOf = (body: Uint8Array): string =>
  createHash('sha256').update(body).digest('base64url').slice(0, 22)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

type Json = Readonly<Record<string, unknown>>
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * What lemlist said about an export: a snapshot of its bytes, or the problem to tell callers. Judges
 * by the status first, then by content type, JSON and shape, since lemlist answers 200 with HTML on
 * unknown paths and `{}` when a handler of its fails.
 *
 * @param fileTtlMs lemlist's 24 h in milliseconds
 * @throws Problem for everything but a 200 of the documented shape for the export asked for
 */
export const toSnapshot = (ref: ExportRef, answer: RawAnswer, fileTtlMs: number): Snapshot => {
  if (answer.status !== 200) throw refusalOf(answer)
  const status = statusIn(ref, answer)
  const state = status.status
  if (typeof state !== 'string') throw invalid('status.status is missing or no string')
  const snapshot = {
    body: copyOf(answer.body),
    state,
    version: versionOf(answer.body),
    observedAt: answer.receivedAt,
  }
  if (!isFinal(snapshot)) return snapshot
  return { ...snapshot, endOfLife: endOfLife(status.endedAt, answer.receivedAt, fileTtlMs) }
}

/**
 * The export that lemlist has begun: a bare object, not wrapped like a status.
 *
 * @throws Problem for everything but a 200 of the documented shape for the campaign asked for
 */
export const toStarted = ({ campaignId }: CampaignRef, answer: RawAnswer): Started => {
  if (answer.status !== 200) {
    const problem = refusalOf(answer)
    // The only thing asked for here is a campaign.
    throw problem.code === 'export-not-found' ? campaignNotFound(404) : problem
  }
  const started = documentIn(answer)
  const exportId = started.id ?? started._id
  if (typeof exportId !== 'string' || !EXPORT_ID.test(exportId)) throw invalid('no id of an export')
  if (differs(started._id, exportId) || differs(started.campaignId, campaignId)) {
    throw invalid('speaks of another export')
  }
  return { body: answer.body, exportId }
}

const EXPORT_ID = /^[a-z]{3}_[A-Za-z0-9]{1,64}$/

const documentIn = ({ headers, body, cut }: RawAnswer): Json => {
  if (cut) throw invalid('body over the cap')
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw invalid('encoded body')
  if (essence(headers['content-type']) !== 'application/json') throw invalid('not JSON by its type')
  const document = parseJson(body)
  if (!isObject(document) || document.ok === false) throw invalid('not the documented shape')
  return document
}

const statusIn = (ref: ExportRef, answer: RawAnswer): Json => {
  const { status } = documentIn(answer)
  if (!isObject(status)) throw invalid('no status object')
  // A foreign answer would be kept under this export's name for a day.
  const foreign =
    differs(status.id, ref.exportId) ||
    differs(status._id, ref.exportId) ||
    differs(status.campaignId, ref.campaignId)
  if (foreign) throw invalid('speaks of another export')
  return status
}

const differs = (said: unknown, asked: string): boolean =>
  said !== undefined && said !== null && said !== asked

const parseJson = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    throw invalid('not JSON')
  }
}
