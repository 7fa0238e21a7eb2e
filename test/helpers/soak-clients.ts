import { connect, type Socket } from 'node:net'

/**
 * Clients of streams that come and go: each leaves after a while and comes back with the last id that it has
 * seen, or as somebody new. It reads bare bytes, because a thousand parsers would be the load.
 */

interface SoakClients {
  /** How many are connected and have an answer. */
  connected(): number
  /** How many events they were told. */
  events(): number
  /** How many answers were no stream. */
  refused(): number
  /** All leave, and none comes back. */
  leave(): void
}

interface SoakOptions {
  readonly url: string
  readonly clients: number
  /** The path that a client asks for when it comes. */
  readonly path: () => string
  /** How long a client stays, milliseconds. */
  readonly stayMs: () => number
  /** How long it stays away. */
  readonly awayMs: () => number
}

export const startSoakClients = (options: SoakOptions): SoakClients => {
  const { hostname, port } = new URL(options.url)
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let isOver = false
  let connected = 0
  let events = 0
  let refused = 0

  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms)
    timers.add(timer)
  }

  const come = (lastId?: string): void => {
    if (isOver) return
    const socket = connect(Number(port), hostname).setEncoding('latin1')
    sockets.add(socket)
    let isAnswered = false
    let seen = lastId
    socket.on('data', (text: string) => {
      if (!isAnswered) {
        isAnswered = true
        connected += 1
        if (!text.startsWith('HTTP/1.1 200')) refused += 1
      }
      events += text.match(/^event: /gm)?.length ?? 0
      seen = text.match(/^id: (.*)$/m)?.[1] ?? seen
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      if (isAnswered) connected -= 1
      if (!isOver) later(options.awayMs(), () => come(Math.random() < 0.5 ? seen : undefined))
    })
    const resume = lastId === undefined ? '' : `Last-Event-ID: ${lastId}\r\n`
    socket.write(`GET ${options.path()} HTTP/1.1\r\nHost: ${hostname}\r\n${resume}\r\n`)
    later(options.stayMs(), () => socket.destroy())
  }

  for (let count = 0; count < options.clients; count += 1) later(options.awayMs(), come)
  return {
    connected: () => connected,
    events: () => events,
    refused: () => refused,
    leave: () => {
      isOver = true
      for (const timer of timers) clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
    },
  }
}
