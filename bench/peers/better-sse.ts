import { createServer } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import { HEARTBEAT_MS, headers, newestEvent, port, pushed } from './sse-peer.ts'

/** Streams with better-sse on node:http. */
const channel = createChannel()
createServer(async (request, response) => {
  if (request.method === 'POST') {
    const { id, data } = await pushed(request)
    channel.broadcast(data, 'status', { eventId: id })
    response.end()
    return
  }
  // The data is JSON already.
  const options = { headers: { ...headers }, keepAlive: HEARTBEAT_MS, serializer: String }
  const session = await createSession(request, response, options)
  channel.register(session)
  const { id, data } = newestEvent()
  session.push(data, 'status', id)
}).listen(port, '127.0.0.1')
