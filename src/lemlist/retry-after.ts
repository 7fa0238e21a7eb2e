/**
 * How long lemlist asks the gateway to wait. Call this for 429 and 503 only: lemlist sends
 * `Retry-After` on every response, even on 200 and 401, where the header means nothing.
 */

type Headers = Readonly<Record<string, string | string[] | undefined>>

const LONGEST_MS = 60_000
const SHORTEST_MS = 1_000
const EPOCH_MS_FROM = 1e11
const EPOCH_SECONDS_FROM = 1e9

/**
 * Returns milliseconds from 1 000 to 60 000, or undefined when lemlist names no usable time.
 * throttle.ts then backs off by itself. `Retry-After` may be in seconds, fractions of seconds,
 * epoch seconds, epoch milliseconds, an HTTP date (RFC 9110, 10.2.3) or the JavaScript date form
 * that lemlist uses in `X-RateLimit-Reset`. That second header is used when `Retry-After` has no
 * usable time. Dates are compared with lemlist's own `Date`, so a wrong clock of this machine does
 * no harm.
 *
 * @param now epoch milliseconds, used when lemlist sends no `Date`
 */
export const retryAfterMs = (headers: Headers, now: number): number | undefined => {
  const date = Date.parse(single(headers.date) ?? '')
  const theirNow = Number.isNaN(date) ? now : date
  const ms =
    parse(single(headers['retry-after']), theirNow) ??
    parse(single(headers['x-ratelimit-reset']), theirNow)
  return ms === undefined ? undefined : Math.min(LONGEST_MS, Math.max(SHORTEST_MS, ms))
}

/** A header with two values counts as missing, because the values may contradict each other. */
const single = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value.trim() : undefined

const parse = (text: string | undefined, theirNow: number): number | undefined => {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,15}(\.\d{1,9})?$/.test(text)) {
    const number = Number.parseFloat(text)
    if (number > EPOCH_MS_FROM) return number - theirNow
    return number > EPOCH_SECONDS_FROM ? number * 1_000 - theirNow : number * 1_000
  }
  // `Date.parse` accepts nearly any text with a digit in it. Both forms of a date begin with the
  // name of the day, so a text that does not is refused.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at - theirNow
}
