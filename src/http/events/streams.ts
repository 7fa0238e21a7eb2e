import { performance } from 'node:perf_hooks'
import { cutOneByOne } from './drain.ts'
import type { Cut } from './ending.ts'
import { createCallerCounts, type Holder } from './holders.ts'
import { SOON_RETRY_MS, spread } from './sse.ts'
import type { EventStream } from './stream.ts'

/** What this file uses of an event stream. */
export type OpenStream = Pick<EventStream, 'beat' | 'cut' | 'expiresAt' | 'stuckSince'>

/**
 * All open streams of this replica. Limits their number, sends their heartbeat, and cuts those that
 * are stuck or too old, and all of them when the gateway stops.
 */
export interface Streams {
  readonly max: number
  /** How a stream ends whose client must come back. */
  readonly cut: Cut
  /** Whether new streams are turned away because the process has too much to do. */
  isOverloaded(): boolean
  /** Whether one more stream may open. */
  hasRoom(): boolean
  /** Whether one more stream of this caller may open. Undefined = callers are not told apart. */
  hasRoomFor(caller: string | undefined): boolean
  add(stream: OpenStream, holder: Holder): void
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
  /** Cuts the streams of an account that was taken out of the configuration. */
  cutAccount(account: string): void
  close(): void
}

interface StreamsOptions {
  readonly max: number
  /** How many streams each caller may have open. Default: no limit. */
  readonly maxPerCaller?: number
  readonly cut: Cut
  /** Called with how many streams are open, whenever one opens or is over. */
  readonly onSize?: ((open: number) => void) | undefined
  /** Asked once for each new stream. Default: never. */
  readonly isOverloaded?: (() => boolean) | undefined
  readonly heartbeatMs: number
  /** The longest life of a stream, milliseconds. Each stream lives for 80 to 100 % of it. */
  readonly maxAgeMs: number
  /** The longest a drain may take, milliseconds. Default 10 s. */
  readonly drainMs?: number
}

/** A client whose socket is full and that has taken nothing for this long is cut, milliseconds. */
const STUCK_MS = 30_000
/** How often all streams are looked at, milliseconds. With 10 000 of them a look takes some 2 ms. */
const SWEEP_MS = 3_000
/** A stream is rotated at a random part of the longest life, between these two. */
const LIFE = { min: 0.8, max: 0.97 }
/**
 * This part of the longest life is left for a client to take the last bytes. After that the gateway
 * closes the socket without them, so that no stream gets older than the longest life.
 */
const LAST_PART = 0.02
/**
 * The longest drain, milliseconds. The rest of `SHUTDOWN_TIMEOUT_MS` (25 s) is left for
 * `DRAIN_DELAY_MS` and for requests under way.
 */
const LONGEST_DRAIN_MS = 10_000
/** Writing to more sockets without a pause would block the event loop for too long. */
const SLICE = 256
const ROTATION_RETRY_MS = { min: 2_000, max: 5_000 }

export const createStreams = (options: StreamsOptions): Streams => {
  const { max, cut, heartbeatMs, maxAgeMs, drainMs = LONGEST_DRAIN_MS, onSize } = options
  const streams = new Map<OpenStream, Holder>()
  const callers = createCallerCounts(options.maxPerCaller ?? Number.POSITIVE_INFINITY)
  /** The timers of the streams that end before the next sweep, and of those that are ending. */
  const ends = new Map<OpenStream, NodeJS.Timeout>()
  const drainBegins = new AbortController()

  /** Visits all streams, one slice after the other. Other work can run between two slices. */
  const inSlices = (visit: (stream: OpenStream) => void): void => {
    const all = streams.keys()
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

  const rotate = (stream: OpenStream): void => {
    stream.cut('rotated', spread(ROTATION_RETRY_MS.min, ROTATION_RETRY_MS.max))
    if (!streams.has(stream)) return
    ends.set(
      stream,
      setTimeout(() => stream.cut('rotated', undefined), maxAgeMs * LAST_PART),
    )
  }

  /**
   * Gives a stream that ends before the next sweep a timer of its own. With the sweep alone, all
   * streams of those seconds would end at one moment, and their clients would come back at one moment.
   */
  const planEnd = (stream: OpenStream, now: number): void => {
    const leftMs = stream.expiresAt - now
    if (leftMs > SWEEP_MS || ends.has(stream)) return
    ends.set(stream, setTimeout(rotate, leftMs, stream))
  }

  /** The same for a stream that will have been stuck for too long before the next sweep. */
  const planCut = (stream: OpenStream, now: number): void => {
    const since = stream.stuckSince()
    if (since === undefined || since + STUCK_MS - now > SWEEP_MS) return
    const cutIfStuck = (): void => {
      if (streams.has(stream) && stream.stuckSince() === since) stream.cut('slow', undefined)
    }
    setTimeout(cutIfStuck, since + STUCK_MS - now).unref()
  }

  const remove = (stream: OpenStream): void => {
    const holder = streams.get(stream)
    if (streams.delete(stream)) callers.change(holder?.caller, -1)
    onSize?.(streams.size)
    clearTimeout(ends.get(stream))
    ends.delete(stream)
  }

  const sweep = (): void => {
    // This clock is monotonic, so that setting the wall clock does not rotate all streams at once.
    const now = performance.now()
    inSlices((stream) => {
      planCut(stream, now)
      planEnd(stream, now)
    })
  }

  const beat = setInterval(() => inSlices((stream) => stream.beat()), heartbeatMs)
  const sweeper = setInterval(sweep, SWEEP_MS)

  const drain = async (): Promise<void> => {
    drainBegins.abort()
    await cutOneByOne([...streams.keys()], drainMs)
  }

  return {
    max,
    cut,
    isOverloaded: options.isOverloaded ?? (() => false),
    hasRoom: () => streams.size < max,
    hasRoomFor: callers.hasRoomFor,
    add: (stream, holder) => {
      streams.set(stream, holder)
      callers.change(holder.caller, 1)
      onSize?.(streams.size)
      planEnd(stream, performance.now())
    },
    remove,
    expiry: () => {
      const part = LIFE.min + (LIFE.max - LIFE.min) * Math.random()
      return performance.now() + maxAgeMs * part
    },
    size: () => streams.size,
    isDraining: () => drainBegins.signal.aborted,
    draining: drainBegins.signal,
    drain,
    cutAccount: (account) => {
      for (const [stream, holder] of [...streams]) {
        if (holder.account !== account) continue
        stream.cut('closed', spread(SOON_RETRY_MS.min, SOON_RETRY_MS.max))
      }
    },
    close: () => {
      clearInterval(beat)
      clearInterval(sweeper)
      for (const stream of streams.keys()) stream.cut('drained', undefined)
      for (const timer of ends.values()) clearTimeout(timer)
    },
  }
}
