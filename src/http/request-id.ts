import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** An id of this form is safe in a header, in a log line and in a JSON document. */
const SANE = /^[A-Za-z0-9._~:+-]{1,64}$/

export const newRequestId = (): string => randomUUID()

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
