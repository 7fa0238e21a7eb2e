import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface RawUpstream {
  /** A base URL, on 127.0.0.1. */
  readonly url: string
  /** How many connections have been opened so far. */
  connections(): number
}

/** A TCP listener that sends only what the test writes. It ends with the test. */
export const listenRaw = async (onConnection: (socket: Socket) => void): Promise<RawUpstream> => {
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}/api`, connections: () => connections }
}
