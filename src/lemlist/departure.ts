import type { Dispatcher } from 'undici'
import { NotSent } from './failures.ts'

/**
 * Makes a call on a pool, and learns whether the call failed before its request began to leave. A
 * list of error codes could not tell: a handshake fails in many ways, and the deadline of a call may
 * pass before there is a connection.
 *
 * @throws NotSent when no part of the request has left
 */
export const request = async (
  pool: Dispatcher,
  options: Dispatcher.RequestOptions,
): Promise<Dispatcher.ResponseData> => {
  let left = false
  const noting = pool.compose((dispatch) => (given, handler) => {
    const start = handler.onRequestStart?.bind(handler)
    // undici calls this when it has a connection, right before it writes the request.
    handler.onRequestStart = (controller, context) => {
      start?.(controller, context)
      left = !controller.aborted
    }
    return dispatch(given, handler)
  })
  try {
    return await noting.request(options)
  } catch (error) {
    throw left ? error : new NotSent(error)
  }
}
