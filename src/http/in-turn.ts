import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** How many requests may wait on one connection. With one more, the connection is closed. */
const MAX_WAITING = 100

/**
 * Handles the requests of a connection one after the other. Node's parser reads on while a request
 * is handled, and Node would have the next request handled at once. But when the answer before it
 * closes the connection, the caller never learns what became of that next request: an export would
 * have been started for nobody (RFC 9112, 9.6). It may even be no request at all, but content that
 * somebody smuggled.
 *
 * This must be the first hook, so that nothing is done for a request that is dropped.
 */
export const handleInTurn = (app: FastifyInstance): void => {
  const waiting = new WeakMap<Socket, number>()
  app.addHook('onRequest', ({ raw }, reply, done) => {
    const { socket } = raw
    // Node gives the socket to a response when all responses before it are finished.
    if (reply.raw.socket !== null && socket.writable) return done()
    // This connection is closing: the request is dropped.
    if (!socket.writable) return
    const count = (waiting.get(socket) ?? 0) + 1
    waiting.set(socket, count)
    if (count > MAX_WAITING) {
      socket.destroy()
      return
    }
    // When an answer before it closes the connection, its turn never comes: it is dropped, too.
    reply.raw.once('socket', () => {
      waiting.set(socket, (waiting.get(socket) ?? 1) - 1)
      // Node is not done with the hand-over of the socket before this event has been told to all.
      process.nextTick(done)
    })
  })
}
