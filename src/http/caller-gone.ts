import type { ServerResponse } from 'node:http'

/**
 * A signal that is aborted when the caller leaves before he has the whole answer. Fastify's
 * `request.signal` waits until the request closes, and a request without content never tells of that: it
 * has ended before anybody could listen (`optimizeEmptyRequests`).
 */
export const callerGone = (response: ServerResponse): AbortSignal => {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}
