import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** An id of this form is safe in a header, in a log line and in a JSON document. */
const SANE = /^[A-Za-z0-9._~:+-]{1,64}$/

/** Tells the ids of this process from those of other replicas, and of the process before it. */
const PREFIX = randomBytes(12).toString('hex')
/** All ids have the same length, so that answers that must not be told apart have it, too. */
const DIGITS = 11
let made = 0

/** A number below a random prefix is as unique as a UUID and costs a fraction of it. */
export const newRequestId = (): string => {
  made += 1
  return `${PREFIX}-${made.toString(16).padStart(DIGITS, '0')}`
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
