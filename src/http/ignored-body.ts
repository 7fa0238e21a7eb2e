import type { FastifyInstance } from 'fastify'

/**
 * Makes all routes of a scope ignore the body of a request, whatever its type is. A body over the
 * limit of the server is still refused.
 *
 * HTTP clients send a type, or a body, that nobody asked for: `curl -d ''` says that the nothing it
 * sends is a form, and axios calls it JSON.
 */
export const ignoreBodies = (scope: FastifyInstance): void => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null))
  scope.addHook('onRequest', ({ raw }, _reply, done) => {
    // Fastify would refuse a malformed type before it looks for a parser.
    delete raw.headers['content-type']
    done()
  })
}
