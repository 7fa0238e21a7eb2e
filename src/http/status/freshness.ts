import type { Snapshot } from '../../exports/export.ts'
import type { Reading } from '../../exports/reading/reader.ts'

/** The headers that say how old an answer is, where it came from, and how long it may be used. */
export interface Freshness {
  readonly age: string
  readonly cacheStatus: string
  readonly cacheControl: string
}

const CACHE_NAME = 'lemlist-gateway'
/** The longest time for which a cache may use an answer without asking again, seconds. */
const LONGEST_FRESH_S = 3_600

/** What was said of a snapshot last, and for which seconds. */
interface Said extends Freshness {
  readonly ageS: number
  readonly leftS: number
}

const said = new WeakMap<Snapshot, Said>()

/**
 * The same words hold for all hits of one second, so they are put together once in it.
 *
 * @param now epoch milliseconds
 */
export const freshnessOf = (reading: Reading, now: number): Freshness => {
  const { snapshot, keptUntil, how } = reading
  const ageS = seconds(now - snapshot.observedAt)
  if (keptUntil === undefined) {
    return { age: String(ageS), cacheStatus: sourceOf(how, false, 0), cacheControl: 'no-store' }
  }
  const leftS = seconds(keptUntil - now)
  const before = how === 'hit' ? said.get(snapshot) : undefined
  if (before?.ageS === ageS && before.leftS === leftS) return before
  const fresh = {
    ageS,
    leftS,
    age: String(ageS),
    cacheStatus: sourceOf(how, true, leftS),
    // A cache subtracts `Age` from `max-age` (RFC 9111, 4.2), so both count from lemlist's word.
    cacheControl: `private, max-age=${ageS + Math.min(LONGEST_FRESH_S, leftS)}`,
  }
  if (how === 'hit') said.set(snapshot, fresh)
  return fresh
}

const seconds = (ms: number): number => Math.max(0, Math.floor(ms / 1_000))

/** The value of `Cache-Status` (RFC 9211). */
const sourceOf = (how: Reading['how'], isKept: boolean, leftS: number): string => {
  if (how === 'hit') return `${CACHE_NAME}; hit; ttl=${leftS}`
  if (how === 'stale') return `${CACHE_NAME}; hit; detail=STALE`
  if (how === 'collapsed') return `${CACHE_NAME}; fwd=miss; collapsed`
  return isKept ? `${CACHE_NAME}; fwd=miss; stored` : `${CACHE_NAME}; fwd=miss; fwd-status=200`
}
