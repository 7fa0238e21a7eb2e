import type { ServerResponse } from 'node:http'
import { encodeLastRetry, encodeRetry } from './sse.ts'

/** How streams end. The end tells a client what to do: come back, or stay away for good. */

/**
 * How a stream ended, for the log: `complete` = everything was told, `left` = the client closed it,
 * `slow` = the client stopped reading, `rotated` = it reached its maximum age, `drained` = the
 * gateway stops, `closed` = its account was taken out of the configuration, `refused` = the route
 * sent another answer instead.
 */
export type Ending = 'complete' | 'left' | 'slow' | 'rotated' | 'drained' | 'closed' | 'refused'

/** Whether the gateway ended the stream before everything was told. */
export const isCut = (ending: Ending): boolean =>
  ending === 'slow' || ending === 'rotated' || ending === 'drained' || ending === 'closed'

/**
 * How the gateway ends a stream whose client must come back. `abrupt`: without the last chunk, so
 * that every client library reconnects. `clean`: with it, for proxies that do not pass a broken
 * response on. A few libraries take a clean end for the end of everything.
 */
export type Cut = 'abrupt' | 'clean'

/**
 * Ends a response whose head was sent and whose client must come back.
 *
 * @param event what is told before the end, encoded; undefined when there is nothing to tell
 */
export const sendAway = (
  response: ServerResponse,
  cut: Cut,
  retryMs: number,
  event?: string,
): void => {
  const last = event === undefined ? encodeLastRetry(retryMs) : encodeRetry(retryMs) + event
  if (cut === 'clean') response.end(last)
  // The socket flushes these bytes and then closes. The missing last chunk makes the end abrupt. A
  // pipelined response has no socket before its turn has come.
  else response.write(last, () => response.socket?.destroySoon())
}
