import type { ServerResponse } from 'node:http'
import Fastify from 'fastify'
import { encode, headers, newestEvent, port, pushed } from './sse-peer.ts'

/** Streams with a bare Fastify route that takes the response over, without heartbeats. */
const open = new Set<ServerResponse>()
const app = Fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, _payload, done) => done(null))
app.get('/events', (_request, reply) => {
  reply.hijack()
  const { raw } = reply
  open.add(raw)
  raw.on('close', () => open.delete(raw))
  raw.writeHead(200, headers)
  raw.write(encode(newestEvent()))
})
app.post('/push', async ({ raw }) => {
  const frame = encode(await pushed(raw))
  for (const one of open) one.write(frame)
  return ''
})
await app.listen({ port, host: '127.0.0.1' })
