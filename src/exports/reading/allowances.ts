import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import type { BudgetLimits } from '../ports.ts'

/**
 * How many looks each caller may cause at ids that nobody has seen before. lemlist may not know
 * such an id, and whoever makes ids up must not spend what the other callers need.
 */
export interface Allowances {
  /**
   * Takes the next free place of the caller, and returns the milliseconds until it begins; 0 = now.
   * When it begins later than in `longestMs` milliseconds, nothing is taken.
   */
  take(callerId: string, longestMs: number): number
}

/** A caller may use this part of the budget. */
const PART = 4
/**
 * The places that one window has for a caller at most. The budget may allow any number of calls,
 * and the times of the places are kept in memory. With more calls the window is shorter instead.
 */
const MAX_PLACES = 100
/**
 * For so many callers the places are remembered. A forgotten caller has all his places again. To be
 * forgotten within a window, so many others must ask for unknown ids in that window.
 */
const MAX_CALLERS = 10_000

/**
 * Gives each caller a quarter of the calls of a budget, in any window of the budget. A budget with
 * fewer than four calls gives one place in a longer time.
 *
 * @param now monotonic milliseconds
 */
export const createAllowances = (
  { calls, windowMs }: BudgetLimits,
  now: () => number = () => performance.now(),
  bounds: Bounds = UNMEASURED,
): Allowances => {
  /** Less than 1 when the budget has fewer than four calls. */
  const share = calls < PART ? calls / PART : Math.floor(calls / PART)
  const places = Math.max(1, Math.min(MAX_PLACES, share))
  const spanMs = (windowMs * places) / share
  /** When the last places of each caller begin, earliest first. Some may lie in the future. */
  const taken = new LRUCache<string, number[]>({ max: MAX_CALLERS })
  bounds('callers-with-unknown-ids', () => taken.size / MAX_CALLERS)

  return {
    take: (callerId, longestMs) => {
      const begins = taken.get(callerId) ?? []
      const time = now()
      const earliest = begins.length < places ? time : (begins[0] ?? time) + spanMs
      const waitMs = Math.max(0, earliest - time)
      if (waitMs > longestMs) return waitMs
      taken.set(callerId, [...begins, time + waitMs].slice(-places))
      return waitMs
    },
  }
}
