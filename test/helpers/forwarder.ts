import { connect, createServer, type Socket } from 'node:net'
import { listeningPort } from './listening-port.ts'

export interface Forwarder {
  /** `http://127.0.0.1:PORT`. It does not change with the targets. */
  readonly url: string
  /** Sends new connections to the first of these gateways that listens. */
  aim(...urls: readonly string[]): void
}

/**
 * A minimal load balancer for TCP connections. It ends with the test.
 *
 * @param alter changes the bytes on their way to the gateway
 */
export const startForwarder = async (alter?: (bytes: Buffer) => Buffer): Promise<Forwarder> => {
  let targets: readonly string[] = []
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    // A reset needs no handling here: the `close` that follows it closes the other side.
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
      if (alter === undefined) client.pipe(gateway)
      else client.on('data', (bytes: Buffer) => void gateway.write(alter(bytes)))
      gateway.once('close', () => client.destroySoon())
      client.once('close', () => gateway.destroySoon())
    })
  }

  const server = createServer((client) => {
    keep(client)
    dial(client, targets)
  })
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  const port = await listeningPort(server, sockets)
  return {
    url: `http://127.0.0.1:${port}`,
    aim: (...urls) => {
      targets = urls
    },
  }
}
