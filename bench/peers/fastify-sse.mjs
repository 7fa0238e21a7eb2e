import sse from '@fastify/sse'
import Fastify from 'fastify'
import { HEARTBEAT_MS, headers, newestEvent, port, pushed } from './sse-peer.ts'

/** Streams with @fastify/sse. */
const open = new Set()
const app = Fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', (_request, _payload, done) => done(null))
// The data is JSON already.
await app.register(sse, { heartbeatInterval: HEARTBEAT_MS, serializer: String })
app.get('/events', { sse: true }, async (_request, reply) => {
  reply.headers(headers)
  reply.sse.keepAlive()
  open.add(reply.sse)
  reply.sse.onClose(() => open.delete(reply.sse))
  await reply.sse.send({ event: 'status', ...newestEvent() })
})
app.post('/push', async ({ raw }) => {
  const event = { event: 'status', ...(await pushed(raw)) }
  for (const one of open) one.send(event).catch(() => {})
  return ''
})
await app.listen({ port, host: '127.0.0.1' })
