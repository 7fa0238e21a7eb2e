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
   *
   * @param at when the request came, monotonic milliseconds
   */
  take(caller: string, at: number): number
}

const WINDOW_MS = 60_000
/** With more callers in a minute, the one whose minute began first begins anew. */
const MAX_CALLERS = 10_000

export const createCallerLimit = (max: number, bounds: Bounds = UNMEASURED): CallerLimit => {
  /** In the order of their beginnings. */
  const windows = new Map<string, { readonly endsAt: number; count: number }>()
  bounds('callers', () => windows.size / MAX_CALLERS)

  const begin = (caller: string, at: number): void => {
    windows.delete(caller)
    const [first] = windows.size < MAX_CALLERS ? [] : windows.keys()
    if (first !== undefined) windows.delete(first)
    windows.set(caller, { endsAt: at + WINDOW_MS, count: 1 })
  }

  return {
    take: (caller, at) => {
      const known = windows.get(caller)
      if (known === undefined || known.endsAt <= at) {
        begin(caller, at)
        return 0
      }
      known.count += 1
      return known.count > max ? known.endsAt - at : 0
    },
  }
}
