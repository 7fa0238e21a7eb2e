import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/**
 * The port of a server that has begun to listen on one that the system chooses. With the test the server
 * ends, and the sockets that are in the set by then.
 */
export const listeningPort = async (
  server: Server,
  sockets: ReadonlySet<Socket>,
): Promise<number> => {
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
