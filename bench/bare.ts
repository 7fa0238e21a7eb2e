import Fastify from 'fastify'
import { z } from 'zod'

/**
 * A bare Fastify route, to compare the gateway with: it replies with the body and the headers of a
 * cached status, which its starter has got from the gateway, and does nothing else. It also is the origin
 * of the caches that the gateway is compared with; `X-Cache-Timeout` is for fast-gateway.
 */
const { PORT, ANSWER = '', CACHE_TIMEOUT } = process.env
const { body, headers } = z
  .object({ body: z.string(), headers: z.array(z.tuple([z.string(), z.string()])) })
  .parse(JSON.parse(ANSWER))
const app = Fastify()
app.get('/campaigns/:campaignId/export/:exportId/status', (_request, reply) => {
  for (const [name, value] of headers) reply.header(name, value)
  if (CACHE_TIMEOUT !== undefined) reply.header('x-cache-timeout', CACHE_TIMEOUT)
  reply.send(body)
})
await app.listen({ port: Number(PORT), host: '127.0.0.1' })
