import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { takesGzip, varyBy } from './negotiation.ts'
import { notModified } from './not-modified.ts'
import { matchesETag } from './status/conditional.ts'

/** One of the gateway's own files, which is served unchanged. */
export interface StaticFile {
  readonly bytes: Buffer
  readonly type: string
  readonly etag: string
  /** The same, compressed. Undefined for a file that is served in one form only. */
  readonly gzip?: Buffer
}

/**
 * Reads a file once, at the start. So the gateway serves files of one version, even when the files
 * on disk change while it runs.
 */
export const staticFile = (path: URL, type: string): StaticFile =>
  staticBytes(readFileSync(path), type)

export const staticBytes = (bytes: Buffer, type: string): StaticFile => ({
  bytes,
  type,
  etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
})

/** A file that is served compressed to whoever takes that. */
export const compressed = (file: StaticFile): StaticFile => ({
  ...file,
  gzip: gzipSync(file.bytes, { level: 9 }),
})

/**
 * Sends a static file. `no-cache` lets a browser keep the file, but the browser must ask each time
 * whether the file has changed. So a page and its parts always have the same version.
 */
export const sendStatic = (request: FastifyRequest, reply: FastifyReply, file: StaticFile) => {
  const gzip = takesGzip(request.headers['accept-encoding']) ? file.gzip : undefined
  // Each form has a tag of its own (RFC 9110, 8.8.3.3). Whoever sends back either has the file.
  const etag = gzip ? file.etag.replace(/"$/, '-gzip"') : file.etag
  reply
    .header('x-request-id', request.id)
    .header('cache-control', 'no-cache')
    .header('etag', etag)
    .header('x-content-type-options', 'nosniff')
  if (file.gzip !== undefined) varyBy(reply, 'Accept-Encoding')
  if (matchesETag(request.headers['if-none-match'], file.etag)) return notModified(reply)
  if (gzip !== undefined) reply.header('content-encoding', 'gzip')
  return reply.type(file.type).send(gzip ?? file.bytes)
}
