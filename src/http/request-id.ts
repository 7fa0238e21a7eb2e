import { randomInt, randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** An id of this form is safe in a header, in a log line and in a JSON document. */
const SANE = /^[A-Za-z0-9._~:+-]{1,64}$/

/** The last eight digits of an id count, between these. */
const FIRST = 10_000_000
const LAST = 99_999_999
/** The random beginning of a UUID. It tells these ids from those of all other processes. */
let prefix = ''
let latest = LAST

/** A UUID whose end counts. It is as unique as a random one, and costs a fraction of it. */
export const newRequestId = (): string => {
  latest += 1
  if (latest > LAST) {
    prefix = randomUUID().slice(0, -8)
    latest = randomInt(FIRST, LAST)
  }
  return prefix + latest
}

/**
 * The caller's `X-Request-Id` when it is a sane token of at most 64 characters, else a new one. The
 * new one takes its place in the headers, so that a request has the same id for all who ask.
 */
export const requestIdOf = ({ headers }: Pick<IncomingMessage, 'headers'>): string => {
  const sent = headers['x-request-id']
  if (typeof sent === 'string' && SANE.test(sent)) return sent
  const id = newRequestId()
  headers['x-request-id'] = id
  return id
}
