import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Forwarder {
  /** `http://127.0.0.1:PORT`, the same whoever stands behind it. */
  readonly url: string
  /** Where new connections go: to the first of these that listens. */
  aim(...urls: readonly string[]): void
}

/** A load balancer of TCP connections with nothing to it; it ends with the test. */
export const startForwarder = async (): Promise<Forwarder> => {
  let targets: readonly string[] = []
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    // A reset is an end like any other: the other side is told by its own close.
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }

  const dial = (client: Socket, [url, ...others]: readonly string[]): void => {
    if (url === undefined || client.destroyed) return void client.destroy()
    const gateway = connect(Number(new URL(url).port), '127.0.0.1')
    keep(gateway)
    const next = () => dial(client, others)
    gateway.once('error', next)
    gateway.once('connect', () => {
      gateway.off('error', next)
      gateway.pipe(client)
      client.pipe(gateway)
      gateway.once('close', () => client.destroySoon())
      client.once('close', () => gateway.destroySoon())
    })
  }

  const server = createServer((client) => {
    keep(client)
    dial(client, targets)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    aim: (...urls) => {
      targets = urls
    },
  }
}
