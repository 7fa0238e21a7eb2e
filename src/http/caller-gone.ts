import type { ServerResponse } from 'node:http'

/**
 * A signal that is aborted when the caller leaves before he has the whole answer. Fastify's
 * `request.signal` waits for the request to close, which one without content never tells: the server has
 * such a request end before anybody can listen (`optimizeEmptyRequests`).
 */
export const callerGone = (response: ServerResponse): AbortSignal => {
  const gone = new AbortController()
  const onClose = (): void => {
    if (!response.writableFinished) gone.abort()
  }
  // He may have left while his credential was checked.
  if (response.destroyed) onClose()
  else response.once('close', onClose)
  return gone.signal
}
