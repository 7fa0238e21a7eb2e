import { createHash } from 'node:crypto'
import { type ExportRef, endOfLife, isFinal, type Snapshot } from '../exports/export.ts'
import { Problem } from '../problems.ts'

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

const invalid = (why: string): Problem =>
  new Problem('upstream-invalid', 'lemlist gave an answer that cannot be used.', {
    cause: new Error(why),
  })

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
  if (answer.status !== 200) throw refusal(answer)
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

const statusIn = (ref: ExportRef, { headers, body, cut }: RawAnswer): Json => {
  if (cut) throw invalid('body over the cap')
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') throw invalid('encoded body')
  if (essence(headers['content-type']) !== 'application/json') throw invalid('not JSON by its type')
  const document = parseJson(body)
  if (!isObject(document) || document.ok === false) throw invalid('not the documented shape')
  const { status } = document
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

const essence = (contentType: string | string[] | undefined): string | undefined =>
  typeof contentType === 'string' ? contentType.split(';', 1)[0]?.trim().toLowerCase() : undefined

const parseJson = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(utf8.decode(body))
  } catch {
    throw invalid('not JSON')
  }
}

/** The problem behind an answer other than 200. Its body is read for a few words and never passed on. */
const refusal = ({ status, headers, body }: RawAnswer): Problem => {
  if (status === 401 || status === 403) return credentials(status)
  if (status === 429) {
    return new Problem('budget-exhausted', 'lemlist asks the gateway to wait.', {
      retryAfterMs: 1_000,
    })
  }
  if (status >= 500) {
    return new Problem('upstream-unavailable', 'lemlist has trouble of its own.', {
      retryAfterMs: 5_000,
      cause: new Error(`status ${status}`),
    })
  }
  const text = Buffer.from(body).toString().trimStart()
  // A page comes from something in between: it knows nothing of campaigns and exports.
  const isPage = text.startsWith('<') || essence(headers['content-type']) === 'text/html'
  if (status === 400 && !isPage) return badRequest(text)
  if (status === 404 && !isPage) return notFound(text)
  return invalid(`status ${status}`)
}

const credentials = (status: number): Problem =>
  new Problem('upstream-credentials', 'lemlist refuses the API key that the gateway holds.', {
    cause: new Error(`status ${status}`),
  })

const badRequest = (text: string): Problem => {
  if (/no api key/i.test(text)) return credentials(400)
  if (/bad (team|params)/i.test(text)) return campaignNotFound(400)
  return invalid('status 400')
}

const campaignNotFound = (upstreamStatus: number): Problem =>
  new Problem('campaign-not-found', 'lemlist knows no such campaign for this account.', {
    upstreamStatus,
  })

const notFound = (text: string): Problem => {
  if (/no user found/i.test(text)) return credentials(404)
  if (/campaign not found/i.test(text)) return campaignNotFound(404)
  return new Problem('export-not-found', 'lemlist knows no such export, or not any more.', {
    upstreamStatus: 404,
  })
}
