import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { matchesETag } from './status/conditional.ts'

/** One of the gateway's own files, which is served unchanged. */
export interface StaticFile {
  readonly bytes: Buffer
  readonly type: string
  readonly etag: string
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

/**
 * Sends a static file. `no-cache` lets a browser keep the file, but the browser must ask each time
 * whether the file has changed. So a page and its parts always have the same version.
 */
export const sendStatic = (request: FastifyRequest, reply: FastifyReply, file: StaticFile) => {
  reply
    .header('x-request-id', request.id)
    .header('cache-control', 'no-cache')
    .header('etag', file.etag)
    .header('x-content-type-options', 'nosniff')
  return matchesETag(request.headers['if-none-match'], file.etag)
    ? reply.code(304).send()
    : reply.type(file.type).send(file.bytes)
}
