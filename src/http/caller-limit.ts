import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../exports/bounds.ts'

/**
 * How many requests a caller may make in a minute on this replica. Every hit of the cache is
 * counted, so the counter is one look-up. @fastify/rate-limit answers with a promise, which cost
 * several microseconds a request: more than all else that `AUTH=keys` does.
 */
export interface CallerLimit {
  /**
   * Counts a request. Returns 0 when it may be made, else how long the caller must wait,
   * milliseconds.
   */
  take(caller: string): number
}

const WINDOW_MS = 60_000
/** With more callers in a minute, those who have been silent longest begin anew. */
const MAX_CALLERS = 10_000

/** @param now monotonic milliseconds */
export const createCallerLimit = (
  max: number,
  now: () => number = () => performance.now(),
  bounds: Bounds = UNMEASURED,
): CallerLimit => {
  const windows = new LRUCache<string, { readonly endsAt: number; count: number }>({
    max: MAX_CALLERS,
  })
  bounds('callers', () => windows.size / MAX_CALLERS)
  return {
    take: (caller) => {
      const time = now()
      const known = windows.get(caller)
      if (known === undefined || known.endsAt <= time) {
        windows.set(caller, { endsAt: time + WINDOW_MS, count: 1 })
        return 0
      }
      known.count += 1
      return known.count > max ? known.endsAt - time : 0
    },
  }
}
