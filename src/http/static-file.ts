import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { matchesETag } from './status/conditional.ts'

/** A file of the gateway's own that is served as it is. */
export interface StaticFile {
  readonly bytes: Buffer
  readonly type: string
  readonly etag: string
}

/** Read once: what is served is of one version, whatever happens to the files meanwhile. */
export const staticFile = (path: URL, type: string): StaticFile =>
  staticBytes(readFileSync(path), type)

export const staticBytes = (bytes: Buffer, type: string): StaticFile => ({
  bytes,
  type,
  etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
})

/** Kept by browsers and asked about each time, so that a page and its parts are always of one version. */
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
