import type { CsvFile } from './csv-file.ts'
import { type ByteRange, readRange } from './csv-file.ts'
import type { Look } from './export-life.ts'

/** lemlist's answers, with the bytes and the order of keys of its documentation. */

export interface Reply {
  readonly status: number
  /** A list of values makes one header line for each value. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body: Body
}

export interface Body {
  /** Bytes. */
  readonly length: number
  chunks(): Iterable<Buffer>
}

/** What the answers show of an export. */
export interface Shown {
  readonly exportId: string
  readonly teamId: string
  readonly campaignId: string
  readonly campaignName: string
  /** Epoch milliseconds. */
  readonly startedAt: number
  readonly look: Look
}

export const bodyOf = (content: string | Buffer): Body => {
  const bytes = Buffer.from(content)
  return { length: bytes.length, chunks: () => [bytes] }
}

const reply = (status: number, contentType: string, content: string): Reply => ({
  status,
  headers: { 'Content-Type': contentType },
  body: bodyOf(content),
})

export const text = (status: number, content: string): Reply => reply(status, 'text/plain', content)

const json = (status: number, content: unknown): Reply =>
  reply(status, 'application/json', JSON.stringify(content))

const fields = ({ exportId, teamId, campaignId, campaignName, startedAt, look }: Shown) => ({
  id: exportId,
  teamId,
  campaignId,
  campaignName,
  status: look.state,
  startedAt: new Date(startedAt).toISOString(),
  progressIndex: look.index,
  progressTime: look.time,
  progressLastStepDuration: look.lastStepDurationMs,
  progressType: look.type,
  progress: look.progress,
  total: look.total,
})

/** The answer to a start: a bare object, without the `{ok, status}` that is around a status. */
export const started = (shown: Shown): Reply => json(200, { _id: shown.exportId, ...fields(shown) })

/**
 * The status of a pending export: without `_id`, `fileSize`, `endedAt` and `url`. It is assumed
 * that the status of an export in error looks the same.
 */
export const unfinished = (shown: Shown): Reply => json(200, { ok: true, status: fields(shown) })

export const finished = (shown: Shown, file: { size: number; endedAt: number; url: string }) =>
  json(200, {
    ok: true,
    status: {
      _id: shown.exportId,
      ...fields(shown),
      fileSize: file.size,
      endedAt: new Date(file.endedAt).toISOString(),
      url: file.url,
    },
  })

export const exportNotFound = (exportId: string): Reply =>
  json(404, { ok: false, message: `Export with id ${exportId} not found` })

/** On the status path this is unquoted text with a JSON content type, elsewhere plain text. */
export const campaignNotFound = (path: 'status' | 'start'): Reply =>
  reply(404, path === 'status' ? 'application/json' : 'text/plain', 'Campaign not found')

export const badTeam = text(400, 'Bad team')
export const badMethod = text(405, 'Bad method')
export const tooManyRequests = text(429, 'Too Many Requests')
/** It is not known what lemlist answers for a file whose 24 h are over. This is a guess. */
export const fileNotFound = text(404, 'File not found')

/** lemlist answers every unknown path with 200 and its single-page app, whatever the key is. */
export const singlePageApp = reply(
  200,
  'text/html; charset=utf-8',
  '<!DOCTYPE html><html><head><title>lemlist</title></head><body><div id="app"></div></body></html>',
)

const partOf = (file: CsvFile, range: ByteRange): Body => {
  const { from, to } = range.kind === 'part' ? range : { from: 0, to: file.size }
  return { length: to - from, chunks: () => file.slice(from, to) }
}

/** @param rangeHeader the `Range` as received */
export const csv = (file: CsvFile, name: string, rangeHeader: string | undefined): Reply => {
  const range = readRange(rangeHeader, file.size)
  const headers = { 'Content-Type': 'text/csv', 'Accept-Ranges': 'bytes' }
  if (range.kind === 'unsatisfiable') {
    const unsatisfied = { ...headers, 'Content-Range': `bytes */${file.size}` }
    return { status: 416, headers: unsatisfied, body: bodyOf('') }
  }
  const named = { ...headers, 'Content-Disposition': `attachment; filename="${name}"` }
  const body = partOf(file, range)
  if (range.kind === 'whole') return { status: 200, headers: named, body }
  const part = `bytes ${range.from}-${range.to - 1}/${file.size}`
  return { status: 206, headers: { ...named, 'Content-Range': part }, body }
}
