import { SOON_RETRY_MS, spread } from './sse.ts'
import type { EventStream } from './stream.ts'

/**
 * 10 000 clients that reconnect keep one core busy for 1 to 2 s. The cuts are spread over time, so
 * that the gateways to which the clients reconnect do not slow down.
 */
const DRAIN_MS_PER_STREAM = 5

/**
 * Cuts streams because the gateway stops: in random order, and over a time that grows with their number.
 *
 * @param longestMs the longest that it may take, milliseconds
 */
export const cutOneByOne = async (
  streams: Pick<EventStream, 'cut'>[],
  longestMs: number,
): Promise<void> => {
  const order = shuffled(streams)
  const windowMs = Math.min(longestMs, order.length * DRAIN_MS_PER_STREAM)
  const startedAt = performance.now()
  for (const [index, stream] of order.entries()) {
    const aheadMs = (index / order.length) * windowMs - (performance.now() - startedAt)
    if (aheadMs > 1) await pause(aheadMs)
    stream.cut('drained', spread(SOON_RETRY_MS.min, SOON_RETRY_MS.max))
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
