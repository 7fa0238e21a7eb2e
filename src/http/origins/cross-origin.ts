import type { FastifyInstance } from 'fastify'
import { pathOf } from '../request-target.ts'
import type { MethodsOf } from '../route-methods.ts'

/**
 * Lets pages of other origins call the gateway (CORS, the CORS protocol of the Fetch standard).
 *
 * `@fastify/cors` is not used. It sets its headers in a Fastify hook. No hook runs for a malformed
 * URL, or for a request that Node's parser refuses. It also answers every preflight alike, without
 * regard to the methods of the route and to an origin that is not in the list.
 */

/** The headers that a page may send. Besides those, every page may send a few harmless ones. */
const ALLOWED_HEADERS =
  'Authorization, X-Api-Key, X-Lemlist-Account, Idempotency-Key, If-None-Match, Prefer, Range, X-Request-Id, Last-Event-ID, Content-Type'
/** The headers of an answer that a page may read. Besides those, a page may read `Content-Type`. */
const EXPOSED_HEADERS =
  'ETag, Age, Cache-Status, Retry-After, Link, Location, X-Request-Id, Preference-Applied, Content-Disposition, Content-Range'
/**
 * How long a browser may go without a new preflight for the same URL, seconds. Chromium takes no
 * more than this.
 */
const MAX_AGE_S = '7200'

type Headers = Readonly<Record<string, string>>

/** Which pages may call, and what their browsers are told. */
export interface CrossOrigin {
  /** Whether pages of this origin may call. */
  isListed(origin: string | undefined): boolean
  /**
   * What every answer to a request of this origin has. With an empty list there is nothing. Else a
   * cache must know that an answer depends on the origin, also where the answer names none.
   */
  headersFor(origin: string | undefined): Headers
}

/** @param origins exactly as browsers send them: `CORS_ORIGINS` */
export const createCrossOrigin = (origins: readonly string[]): CrossOrigin => {
  const listed = new Map<string | undefined, Headers>(
    origins.map((origin) => [
      origin,
      {
        vary: 'Origin',
        'access-control-allow-origin': origin,
        'access-control-expose-headers': EXPOSED_HEADERS,
      },
    ]),
  )
  const others: Headers = origins.length === 0 ? {} : { vary: 'Origin' }
  return {
    isListed: (origin) => listed.has(origin),
    headersFor: (origin) => listed.get(origin) ?? others,
  }
}

/**
 * Puts the headers on every answer, and answers preflights. A preflight carries no credential, so
 * call this before a hook that asks for one. An unlisted origin gets what it got without a list.
 *
 * A preflight for an unknown path is also answered with 204, without methods. Then the browser sends
 * the request, and the page can read that there is no such route.
 */
export const allowPages = (
  app: FastifyInstance,
  { isListed, headersFor }: CrossOrigin,
  methodsOf: MethodsOf,
): void => {
  // Node's own event comes before Fastify. So also an answer that no hook sees has the headers, and
  // a status, a stream or a file, for which a route writes the head itself.
  app.server.prependListener('request', ({ headers }, response) => {
    for (const [name, value] of Object.entries(headersFor(headers.origin))) {
      response.setHeader(name, value)
    }
  })
  app.addHook('onRequest', (request, reply, done) => {
    const { method, headers } = request
    const isPreflight =
      method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
    if (!isPreflight || !isListed(headers.origin)) return done()
    const methods = methodsOf(pathOf(request.url))
    if (methods.length > 0) reply.header('access-control-allow-methods', methods.join(', '))
    reply
      .code(204)
      .header('access-control-allow-headers', ALLOWED_HEADERS)
      .header('access-control-max-age', MAX_AGE_S)
      .header('x-request-id', request.id)
      .send()
  })
}
