import { spread } from './sse.ts'
import type { EventStream } from './stream.ts'

/** What this file uses of an event stream. */
export type OpenStream = Pick<EventStream, 'beat' | 'cut' | 'expiresAt' | 'stuckSince'>

/**
 * All open streams of this replica. Limits their number, sends their heartbeat, and cuts those that
 * are stuck or too old, and all of them when the gateway stops.
 */
export interface Streams {
  readonly max: number
  /** Whether one more stream may open. */
  hasRoom(): boolean
  add(stream: OpenStream): void
  remove(stream: OpenStream): void
  /** Monotonic milliseconds at which a stream that begins now is rotated. */
  expiry(): number
  size(): number
  isDraining(): boolean
  /** Aborted when the drain begins. A request that waits for a change (`Prefer`) then answers. */
  readonly draining: AbortSignal
  /**
   * Cuts all streams, in random order and over a time that grows with their number (at most
   * `drainMs`).
   */
  drain(): Promise<void>
  close(): void
}

interface StreamsOptions {
  readonly max: number
  readonly heartbeatMs: number
  /** The longest life of a stream, milliseconds. Each stream lives for 80 to 100 % of it. */
  readonly maxAgeMs: number
  /** The longest a drain may take, milliseconds. Default 10 s. */
  readonly drainMs?: number
}

/** A client that has taken nothing for this long is cut. */
const STUCK_MS = 30_000
const SWEEP_MS = 1_000
/**
 * The longest drain, milliseconds. The rest of `SHUTDOWN_TIMEOUT_MS` (25 s) is left for
 * `DRAIN_DELAY_MS` and for requests under way.
 */
const LONGEST_DRAIN_MS = 10_000
/** Writing to more sockets without a pause would block the event loop for too long. */
const SLICE = 256
/**
 * 10 000 clients that reconnect keep one core busy for 1 to 2 s. The cuts are spread over time, so
 * that the gateways to which the clients reconnect do not slow down.
 */
const DRAIN_MS_PER_STREAM = 5
const ROTATION_RETRY_MS = { min: 2_000, max: 5_000 }
const DRAIN_RETRY_MS = { min: 1_000, max: 3_000 }

export const createStreams = (options: StreamsOptions): Streams => {
  const { max, heartbeatMs, maxAgeMs, drainMs = LONGEST_DRAIN_MS } = options
  const streams = new Set<OpenStream>()
  const drainBegins = new AbortController()

  /** Visits all streams, one slice after the other. Other work can run between two slices. */
  const inSlices = (visit: (stream: OpenStream) => void): void => {
    const all = streams.values()
    const slice = (): void => {
      for (let visited = 0; visited < SLICE; visited += 1) {
        const { value, done } = all.next()
        if (done === true) return
        visit(value)
      }
      setImmediate(slice)
    }
    slice()
  }

  const sweep = (): void => {
    // This clock is monotonic, so that setting the wall clock does not rotate all streams at once.
    const now = performance.now()
    const stuckBefore = now - STUCK_MS
    inSlices((stream) => {
      const since = stream.stuckSince()
      if (since !== undefined && since < stuckBefore) stream.cut('slow', undefined)
      else if (stream.expiresAt <= now) {
        stream.cut('rotated', spread(ROTATION_RETRY_MS.min, ROTATION_RETRY_MS.max))
      }
    })
  }

  const beat = setInterval(() => inSlices((stream) => stream.beat()), heartbeatMs)
  const sweeper = setInterval(sweep, SWEEP_MS)

  const drain = async (): Promise<void> => {
    drainBegins.abort()
    const order = shuffled([...streams])
    const windowMs = Math.min(drainMs, order.length * DRAIN_MS_PER_STREAM)
    const startedAt = performance.now()
    for (const [index, stream] of order.entries()) {
      const aheadMs = (index / order.length) * windowMs - (performance.now() - startedAt)
      if (aheadMs > 1) await pause(aheadMs)
      stream.cut('drained', spread(DRAIN_RETRY_MS.min, DRAIN_RETRY_MS.max))
    }
  }

  return {
    max,
    hasRoom: () => streams.size < max,
    add: (stream) => void streams.add(stream),
    remove: (stream) => void streams.delete(stream),
    expiry: () => performance.now() + maxAgeMs * (0.8 + 0.2 * Math.random()),
    size: () => streams.size,
    isDraining: () => drainBegins.signal.aborted,
    draining: drainBegins.signal,
    drain,
    close: () => {
      clearInterval(beat)
      clearInterval(sweeper)
      for (const stream of streams) stream.cut('drained', undefined)
    },
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Fisher-Yates shuffle, so that the streams are not cut in the order in which they came. */
const shuffled = <T>(items: T[]): T[] => {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [items[i], items[j]]
    // Both indices are inside the array. Only the compiler needs the check.
    if (a !== undefined && b !== undefined) [items[i], items[j]] = [b, a]
  }
  return items
}
