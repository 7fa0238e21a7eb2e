import type { Server } from 'node:net'
import type { Logger } from '../telemetry/log.ts'

/** Connections of callers who neither watch nor wait: short requests, and pauses between them. */
const OTHERS = 4_096
/** The shortest time between two warnings, milliseconds. */
const WARN_MS = 60_000

/**
 * How many connections may be open at once. Each stream and each read with `Prefer: wait` holds one,
 * and there may be `maxStreams` of either.
 */
export const mostConnections = (maxStreams: number): number => 2 * maxStreams + OTHERS

/**
 * Bounds the connections of a server. With one more, the new one is closed at once, so that those
 * who are connected are served. Warns once a minute at most.
 */
export const limitConnections = (server: Server, max: number, logger: Logger): void => {
  server.maxConnections = max
  let closed = 0
  let warnedAt = Number.NEGATIVE_INFINITY
  server.on('drop', () => {
    closed += 1
    const now = performance.now()
    if (now - warnedAt < WARN_MS) return
    logger.warn({ max, closed }, 'too many connections: new ones are closed at once')
    warnedAt = now
    closed = 0
  })
}
