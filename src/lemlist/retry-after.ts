/**
 * How long lemlist asks to be left alone. Read on 429 and 503 only: lemlist sends `Retry-After` on
 * every response, 200 and 401 included, where it says nothing.
 */

type Headers = Readonly<Record<string, string | string[] | undefined>>

const LONGEST_MS = 60_000
const SHORTEST_MS = 1_000
const EPOCH_MS_FROM = 1e11
const EPOCH_SECONDS_FROM = 1e9

/**
 * Milliseconds from 1 000 to 60 000, or undefined when lemlist names no usable time (the caller then
 * backs off by itself). Understands `Retry-After` in seconds, fractions of seconds, epoch seconds,
 * epoch milliseconds, HTTP dates (RFC 9110, 10.2.3) and the JavaScript date form that lemlist uses in
 * `X-RateLimit-Reset`, which is looked at when `Retry-After` is of no use. Dates are compared with
 * lemlist's own `Date`, so a wrong clock here does no harm.
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

/** Two values contradict each other: neither counts. */
const single = (value: string | string[] | undefined): string | undefined =>
  typeof value === 'string' ? value.trim() : undefined

const parse = (text: string | undefined, theirNow: number): number | undefined => {
  if (text === undefined || text === '') return undefined
  if (/^\d{1,15}(\.\d{1,9})?$/.test(text)) {
    const number = Number.parseFloat(text)
    if (number > EPOCH_MS_FROM) return number - theirNow
    return number > EPOCH_SECONDS_FROM ? number * 1_000 - theirNow : number * 1_000
  }
  // Date.parse reads nearly anything with a digit in it: a date begins with the name of its day.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at - theirNow
}
