import { Server } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Streams } from './events/streams.ts'

interface GracefulStopOptions {
  readonly server: FastifyInstance
  readonly streams: Streams
  /** Makes no new looks. */
  readonly tracker: { stop(): void }
  /** How long a load balancer needs to notice that readiness is off, milliseconds. */
  readonly drainDelayMs: number
  /** Lets go of lemlist and the store. */
  readonly letGo: () => Promise<void>
}

/** The longest that new connections, one after the other, keep the port open, milliseconds. */
const LONGEST_ACCEPT_MS = 1_000

/** A connection whose request has just been answered is idle a moment later. */
const IDLE_CHECK_MS = 50
/** Whoever has not taken the last frame of his stream by then holds up the end no longer. */
const LAST_FRAME_MS = 2_000

/**
 * Resolves after a turn of the event loop that accepted nobody. A turn accepts one connection; those that
 * the kernel holds ready for later turns would be reset when the port closes, and their requests with them.
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
 * Ends a gateway so that no request is cut and every stream's client finds its way to another one. The
 * port closes before any stream does: whoever comes back must not meet us again, since what a server
 * answers while it closes (503) ends an EventSource for good.
 */
export const gracefulStop = async (options: GracefulStopOptions): Promise<void> => {
  const { server, streams, tracker, drainDelayMs, letGo } = options
  const listener = server.server
  // Without a port nobody was ever sent here: there is nothing to notice.
  if (listener.listening) await new Promise((resolve) => setTimeout(resolve, drainDelayMs))
  await everybodyAccepted(listener)
  // Not by the `close` of HTTP, which first walks over all connections while more of them come in.
  const closed = new Promise<void>((resolve) => {
    Server.prototype.close.call(listener, () => resolve())
  })
  tracker.stop()
  await streams.drain()
  // Connections kept alive carry no request: nobody misses them, and they would hold up the end.
  const idle = setInterval(() => listener.closeIdleConnections(), IDLE_CHECK_MS)
  const lastFrames = setTimeout(() => streams.close(), LAST_FRAME_MS)
  await closed
  clearInterval(idle)
  clearTimeout(lastFrames)
  streams.close()
  await server.close()
  await letGo()
}
