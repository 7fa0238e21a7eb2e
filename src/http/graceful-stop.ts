import { Server } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Streams } from './events/streams.ts'

interface GracefulStopOptions {
  readonly server: FastifyInstance
  readonly streams: Streams
  /** `stop` ends the polling: no new look at lemlist begins. */
  readonly accounts: { stop(): void }
  /** How long a load balancer needs to notice that readiness is off, milliseconds. */
  readonly drainDelayMs: number
  /** Closes the connections to lemlist and the store. */
  readonly letGo: () => Promise<void>
}

/** The longest time that a steady flow of new connections keeps the port open, milliseconds. */
const LONGEST_ACCEPT_MS = 1_000

/**
 * How often idle connections are closed, milliseconds. Once is not enough: a connection becomes
 * idle only a moment after its request was answered.
 */
const IDLE_CHECK_MS = 50
/**
 * How long a client may take to read the last frame of its stream, milliseconds. After that the
 * stream is closed, so that it cannot delay the stop.
 */
const LAST_FRAME_MS = 2_000

/**
 * Resolves after a turn of the event loop in which no connection was accepted. Node accepts one
 * connection in a turn, and further ones wait in the kernel's queue. When the port closes, the
 * kernel resets those that still wait, and their requests are lost.
 */
const everybodyAccepted = async (listener: Server): Promise<void> => {
  const deadline = performance.now() + LONGEST_ACCEPT_MS
  let accepted = true
  const note = (): void => {
    accepted = true
  }
  listener.on('connection', note)
  while (accepted && performance.now() < deadline) {
    accepted = false
    await turn()
  }
  listener.off('connection', note)
}

/**
 * Stops a gateway so that no request is cut and the client of every stream reconnects to another
 * gateway. The port closes before any stream does. Otherwise a client could reconnect to this
 * gateway, and the 503 of a server that is closing ends an EventSource for good.
 */
export const gracefulStop = async (options: GracefulStopOptions): Promise<void> => {
  const { server, streams, accounts, drainDelayMs, letGo } = options
  const listener = server.server
  // A gateway that does not listen gets no callers from a load balancer, so there is nothing to
  // wait for.
  if (listener.listening) await new Promise((resolve) => setTimeout(resolve, drainDelayMs))
  await everybodyAccepted(listener)
  // This is `close` of `net.Server`, which closes the port at once. `close` of `http.Server` first
  // walks over all connections, and meanwhile the kernel takes more of them.
  const closed = new Promise<void>((resolve) => {
    Server.prototype.close.call(listener, () => resolve())
  })
  accounts.stop()
  await streams.drain()
  // Idle keep-alive connections carry no request. They would only delay the stop.
  const idle = setInterval(() => listener.closeIdleConnections(), IDLE_CHECK_MS)
  const lastFrames = setTimeout(() => streams.close(), LAST_FRAME_MS)
  await closed
  clearInterval(idle)
  clearTimeout(lastFrames)
  streams.close()
  await server.close()
  await letGo()
}
