/** lemlist's rate limit: 20 requests per 2 s and API key, in a fixed window opened by its first call. */

export interface RateLimit {
  /** Calls that one window lets through. */
  readonly calls: number
  readonly windowMs: number
}

/** What one call finds at the limiter, itself counted. */
export interface Admission {
  readonly admitted: boolean
  readonly limit: number
  readonly remaining: number
  /** How long until the window ends. */
  readonly resetInMs: number
  /** When it ends, epoch milliseconds. */
  readonly resetAt: number
}

export interface RateWindows {
  /** Counts one call. A call without a key belongs to no window and is never refused. */
  take(key: string | undefined): Admission
}

/** @param now epoch milliseconds; never time-scaled, since the gateway's budget is not either */
export const createRateWindows = (limit: RateLimit, now: () => number): RateWindows => {
  // In the order in which they were opened, so the closed ones are in front: the map never holds
  // more than the keys of one window, although any key that is sent gets one before it is checked.
  const windows = new Map<string, { readonly openedAt: number; count: number }>()

  const dropClosed = (at: number) => {
    for (const [key, window] of windows) {
      if (at - window.openedAt < limit.windowMs) return
      windows.delete(key)
    }
  }

  return {
    take(key) {
      const at = now()
      if (key === undefined) {
        const { calls, windowMs } = limit
        const reset = { resetInMs: windowMs, resetAt: at + windowMs }
        return { admitted: true, limit: calls, remaining: calls, ...reset }
      }
      dropClosed(at)
      const window = windows.get(key) ?? { openedAt: at, count: 0 }
      windows.set(key, window)
      window.count += 1
      return {
        admitted: window.count <= limit.calls,
        limit: limit.calls,
        remaining: Math.max(0, limit.calls - window.count),
        resetInMs: window.openedAt + limit.windowMs - at,
        resetAt: window.openedAt + limit.windowMs,
      }
    },
  }
}

/**
 * The headers lemlist puts on every answer, 200 and 401 included. `Retry-After` may be a fraction
 * of a second; the reset is a JavaScript date string, not an epoch.
 */
export const rateHeaders = (admission: Admission): Record<string, string> => ({
  'Retry-After': String(admission.resetInMs / 1000),
  'X-RateLimit-Limit': String(admission.limit),
  'X-RateLimit-Remaining': String(admission.remaining),
  'X-RateLimit-Reset': new Date(admission.resetAt).toString(),
})
