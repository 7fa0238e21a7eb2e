import { once } from 'node:events'
import { connect, type Server, type Socket } from 'node:net'
import { createServer, type TlsOptions } from 'node:tls'
import { onTestFinished } from 'vitest'

export const portOf = (server: Pick<Server, 'address'>): number => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts a server on a free port of 127.0.0.1. It ends with the test, with all its connections. */
export const listenUntilTheEnd = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return portOf(server)
}

/** Passes bytes both ways. When one side ends, the other ends too. */
export const join = (a: Socket, b: Socket): void => {
  a.pipe(b).on('error', () => a.destroy())
  b.pipe(a).on('error', () => b.destroy())
  a.once('close', () => b.destroy())
  b.once('close', () => a.destroy())
}

/**
 * Puts TLS in front of an emulated lemlist.
 * @param plainUrl the base URL of the emulator
 * @returns the base URL by TLS
 */
export const tlsFront = async (options: TlsOptions, plainUrl: string): Promise<string> => {
  const { hostname, port, pathname } = new URL(plainUrl)
  const server = createServer(options, (socket) => join(socket, connect(Number(port), hostname)))
  server.on('tlsClientError', () => {})
  return `https://127.0.0.1:${await listenUntilTheEnd(server)}${pathname}`
}
