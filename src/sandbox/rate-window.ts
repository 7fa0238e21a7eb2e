/**
 * lemlist's rate limit: 20 requests in 2 s for each API key. The first call opens a window of fixed
 * length.
 */

export interface RateLimit {
  /** How many calls one window lets through. */
  readonly calls: number
  readonly windowMs: number
}

/** What the limiter says to one call. The call itself is counted. */
export interface Admission {
  readonly admitted: boolean
  readonly limit: number
  readonly remaining: number
  /** How long until the window ends, milliseconds. */
  readonly resetInMs: number
  /** When the window ends, epoch milliseconds. */
  readonly resetAt: number
}

export interface RateWindows {
  /** Counts one call. A call without a key belongs to no window and is never refused. */
  take(key: string | undefined): Admission
}

/**
 * @param now returns epoch milliseconds; never scaled, because the gateway's budget is not scaled
 * either
 */
export const createRateWindows = (limit: RateLimit, now: () => number): RateWindows => {
  // The map keeps the windows in the order in which they were opened, so those that have closed are
  // in front and can be dropped. Every key that is sent gets a window before it is checked, but the
  // map never holds more keys than came in one window.
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
 * The headers that lemlist puts on every answer, also on 200 and 401. `Retry-After` may be a
 * fraction of a second. The reset is a JavaScript date string, not an epoch.
 */
export const rateHeaders = (admission: Admission): Record<string, string> => ({
  'Retry-After': String(admission.resetInMs / 1000),
  'X-RateLimit-Limit': String(admission.limit),
  'X-RateLimit-Remaining': String(admission.remaining),
  'X-RateLimit-Reset': new Date(admission.resetAt).toString(),
})
