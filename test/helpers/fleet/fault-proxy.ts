import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Random } from '../random.ts'

/** A proxy between two parts of a fleet that can disturb their connections. */
export interface FaultProxy {
  readonly port: number
  /** Sends new connections to this port. */
  aim(port: number): void
  /** Delays each piece in both directions by `ms` and up to as much again. */
  slow(ms: number): void
  /** Holds everything back without closing a connection. `heal` delivers what was held back. */
  swallow(): void
  /** Ends all connections by a reset. New connections are not disturbed. */
  cut(): void
  /** Ends all connections by a reset, and new ones as soon as they open, until `heal`. */
  refuse(): void
  /** When one side closes, the other side learns it only `ms` later. */
  closeSlowly(ms: number): void
  /** Ends all faults. */
  heal(): void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

/** Starts a proxy for TCP connections; it ends with the test. `random` is the jitter of `slow`. */
export const startFaultProxy = async (port: number, random: Random): Promise<FaultProxy> => {
  let target = port
  let latencyMs = 0
  let closingMs = 0
  let refusing = false
  /** Set while everything is held back; resolves at `heal`. */
  let open: PromiseWithResolvers<void> | undefined
  const pairs = new Set<Pair>()
  const timers = new Set<NodeJS.Timeout>()

  const later = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, ms)
    timers.add(timer)
  }

  /** Passes pieces on in their order: each one waits for the one before it. */
  const carry = (from: Socket, to: Socket): void => {
    let last = Promise.resolve()
    const inTurn = (ms: number, work: () => void): void => {
      const arrived = new Promise<void>((resolve) => (ms > 0 ? later(ms, resolve) : resolve()))
      last = Promise.all([last, arrived])
        .then(() => open?.promise)
        .then(work)
    }
    from.on('data', (chunk: Buffer) =>
      inTurn(latencyMs > 0 ? latencyMs * (1 + random.next()) : 0, () => {
        if (!to.destroyed) to.write(chunk)
      }),
    )
    from.once('close', () => inTurn(closingMs, () => to.destroySoon()))
  }

  const listener = createServer((client) => {
    // A reset needs no handling here: the `close` that follows it closes the other side.
    client.on('error', () => {})
    if (refusing) return void client.resetAndDestroy()
    const server = connect(target, '127.0.0.1')
    server.on('error', () => {})
    client.setNoDelay()
    server.setNoDelay()
    const pair = { client, server }
    pairs.add(pair)
    server.once('close', () => pairs.delete(pair))
    carry(client, server)
    carry(server, client)
  })
  listener.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  await once(listener, 'listening')

  const cut = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }
  const heal = (): void => {
    latencyMs = 0
    closingMs = 0
    refusing = false
    open?.resolve()
    open = undefined
  }
  onTestFinished(() => {
    heal()
    listener.close()
    for (const timer of timers) clearTimeout(timer)
    cut()
  })
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    aim: (next) => {
      target = next
    },
    slow: (ms) => {
      latencyMs = ms
    },
    swallow: () => {
      open ??= Promise.withResolvers()
    },
    cut,
    refuse: () => {
      refusing = true
      cut()
    },
    closeSlowly: (ms) => {
      closingMs = ms
    },
    heal,
  }
}
