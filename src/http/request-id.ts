import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** An id of this form is safe in a header, in a log line and in a JSON document. */
const SANE = /^[A-Za-z0-9._~:+-]{1,64}$/

export const newRequestId = (): string => randomUUID()

/** The caller's `X-Request-Id` when it is a sane token of at most 64 characters, else a new one. */
export const requestIdOf = (request: Pick<IncomingMessage, 'headers'>): string => {
  const sent = request.headers['x-request-id']
  return typeof sent === 'string' && SANE.test(sent) ? sent : newRequestId()
}
