import type { FastifyReply } from 'fastify'

/**
 * Answers 304 with the headers of the reply. To a HEAD Fastify would say `Content-Length: 0`, which must
 * be the length that a 200 would have (RFC 9110, 8.6).
 */
export const notModified = (reply: FastifyReply): FastifyReply => {
  const { raw } = reply
  raw.statusCode = 304
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) raw.setHeader(name, value)
  }
  reply.hijack()
  raw.end()
  return reply
}
