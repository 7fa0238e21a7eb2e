import { createServer, type ServerResponse } from 'node:http'
import { encode, headers, newestEvent, port, pushed } from './sse-peer.ts'

/** Streams with node:http alone, without heartbeats. */
const open = new Set<ServerResponse>()
createServer(async (request, response) => {
  if (request.method === 'POST') {
    const frame = encode(await pushed(request))
    for (const one of open) one.write(frame)
    response.end()
    return
  }
  open.add(response)
  response.on('close', () => open.delete(response))
  response.writeHead(200, headers)
  response.write(encode(newestEvent()))
}).listen(port, '127.0.0.1')
