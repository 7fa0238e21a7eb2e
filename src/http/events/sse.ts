/**
 * The wire format of server-sent events (WHATWG HTML, 9.2.5). No string can forge a field or an
 * event: event names and ids with a line end or NUL are refused, and data is split at every line
 * end that the format knows.
 */

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
  readonly id?: string
  /** How long the client waits before it reconnects, milliseconds; see `encodeRetry`. */
  readonly retryMs?: number
}

const UNSAFE_IN_FIELD = /[\r\n\0]/
const LINE_END = /\r\n|\r|\n/

/** @throws TypeError for CR, LF or NUL */
const field = (name: 'event' | 'id', value: string): string => {
  if (UNSAFE_IN_FIELD.test(value)) throw new TypeError(`${name} must not hold CR, LF or NUL`)
  return `${name}: ${value}\n`
}

/**
 * Encodes one event, with the blank line that ends it.
 *
 * @throws TypeError for CR, LF or NUL in `event` or `id`
 * @throws RangeError for a `retryMs` that `encodeRetry` refuses
 */
export const encodeEvent = ({ event, data, id, retryMs }: ServerSentEvent): string => {
  const lines = data
    .toWellFormed()
    .split(LINE_END)
    .map((line) => `data: ${line}\n`)
  const idLine = id === undefined ? '' : field('id', id)
  const retryLine = retryMs === undefined ? '' : encodeRetry(retryMs)
  return `${field('event', event)}${idLine}${retryLine}${lines.join('')}\n`
}

/**
 * Encodes an id line alone, which goes in front of an encoded event.
 *
 * @throws TypeError for CR, LF or NUL
 */
export const encodeId = (id: string): string => field('id', id)

/**
 * Encodes how long a client waits before it reconnects, as a line that goes in front of an encoded
 * event. No blank line follows, because some clients take each blank line for a message.
 *
 * @param ms a whole number of at least 1; 0 would make browsers reconnect without a pause
 * @throws RangeError for anything else
 */
export const encodeRetry = (ms: number): string => {
  if (!Number.isSafeInteger(ms) || ms < 1)
    throw new RangeError('retry must be a whole number of at least 1')
  return `retry: ${ms}\n`
}

/**
 * The same, for the last bytes of a stream that no event ends. Here a blank line follows, because
 * undici's EventSource does not apply a `retry` before the next blank line.
 *
 * @throws RangeError as `encodeRetry`
 */
export const encodeLastRetry = (ms: number): string => `${encodeRetry(ms)}\n`

/**
 * A comment keeps proxies from closing an idle connection. An EventSource ignores it. No blank line
 * follows, because some clients take each blank line for a message.
 */
export const COMMENT = ':\n'

/** When a client should come back that another gateway, or this one, can serve at once. */
export const SOON_RETRY_MS = { min: 1_000, max: 3_000 }

/** A random whole number from `min` to `max`, so that clients do not all reconnect at once. */
export const spread = (min: number, max: number): number =>
  min + Math.floor(Math.random() * (max - min + 1))
