import { spread } from './sse.ts'
import type { EventStream } from './stream.ts'

/** What is asked of each stream. */
export type OpenStream = Pick<EventStream, 'beat' | 'cut' | 'expiresAt' | 'stuckSince'>

/** All open streams of this replica: their bound, their heartbeat, and how they come to an end. */
export interface Streams {
  readonly max: number
  /** Whether one more may open. */
  hasRoom(): boolean
  add(stream: OpenStream): void
  remove(stream: OpenStream): void
  /** Monotonic milliseconds at which a stream that begins now is rotated. */
  expiry(): number
  size(): number
  isDraining(): boolean
  /** Aborted when the drain begins: whoever waits for a change answers now. */
  readonly draining: AbortSignal
  /** Cuts all of them, in random order over a while that grows with their number. */
  drain(): Promise<void>
  close(): void
}

interface StreamsOptions {
  readonly max: number
  readonly heartbeatMs: number
  /** The longest life of a stream; each gets 80 to 100 % of it. */
  readonly maxAgeMs: number
  /** The longest a drain may take, milliseconds. Default 10 s. */
  readonly drainMs?: number
}

/** A client that has taken nothing for so long is cut. */
const STUCK_MS = 30_000
const SWEEP_MS = 1_000
/** The rest of the shutdown time-out is for the load balancer and for requests under way. */
const LONGEST_DRAIN_MS = 10_000
/** Writing to more sockets in one go would hold up everything else. */
const SLICE = 256
/** 10 000 clients that come back cost one core 1 to 2 s: spread, so that nobody notices. */
const DRAIN_MS_PER_STREAM = 5
const ROTATION_RETRY_MS = { min: 2_000, max: 5_000 }
const DRAIN_RETRY_MS = { min: 1_000, max: 3_000 }

export const createStreams = (options: StreamsOptions): Streams => {
  const { max, heartbeatMs, maxAgeMs, drainMs = LONGEST_DRAIN_MS } = options
  const streams = new Set<OpenStream>()
  const drainBegins = new AbortController()

  /** One timer for all; the slices leave room for other work in between. */
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
    // Monotonic: a clock that is set must not rotate all of them at once.
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

/** Fisher-Yates: whoever came first is not cut first. */
const shuffled = <T>(items: T[]): T[] => {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1))
    const [a, b] = [items[i], items[j]]
    // Both indices are within the array; the check is for the compiler.
    if (a !== undefined && b !== undefined) [items[i], items[j]] = [b, a]
  }
  return items
}
