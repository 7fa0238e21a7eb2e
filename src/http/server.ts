import Fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler } from 'fastify-type-provider-zod'
import type { Logger } from '../telemetry/log.ts'
import type { Spans } from '../telemetry/spans.ts'
import { clientErrorHandler } from './client-error.ts'
import { frameworkErrorHandler, handleErrors } from './error-handler.ts'
import { handleInTurn } from './in-turn.ts'
import { inputValidator } from './openapi/validator.ts'
import { allowPages, createCrossOrigin } from './origins/cross-origin.ts'
import { type GuardOptions, guardRequests } from './request-guard.ts'
import { requestIdOf } from './request-id.ts'
import { type CountRequest, logRequests } from './request-log.ts'
import { noteMethods } from './route-methods.ts'
import { cutStuckReaders } from './stuck-readers.ts'
import { traceRequests } from './trace-requests.ts'

export interface ServerOptions extends GuardOptions {
  readonly logger: Logger
  /** Counts each request. Default: nobody counts. */
  readonly countRequest?: CountRequest | undefined
  /** Makes each request a span. Default: nobody wants traces. */
  readonly spans?: Spans | undefined
  /** The origins of pages that may call: `CORS_ORIGINS`. Default: none. */
  readonly corsOrigins?: readonly string[]
}

const MAX_HEADER_BYTES = 16 * 1024
const MAX_BODY_BYTES = 16 * 1024

/** Creates a Fastify instance without routes: all limits are set, and every error is a problem. */
export const createServer = (options: ServerOptions): FastifyInstance => {
  const { logger, corsOrigins = [] } = options
  const crossOrigin = createCrossOrigin(corsOrigins)
  const app = Fastify({
    // The gateway writes one log line for each request itself. One line costs less than Fastify's
    // two, and it never holds a raw URL.
    logger: false,
    genReqId: requestIdOf,
    bodyLimit: MAX_BODY_BYTES,
    // The pattern of an id decides whether an id is too long (400). By default the router would
    // answer 414 above 100 characters.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    // By default Fastify answers 503 while it closes and the port still listens. A 503 ends an
    // EventSource for good.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // A request must arrive within 5 s. A response may take as long as it needs.
    requestTimeout: 5_000,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 4_000,
      connectionsCheckingInterval: 500,
      // request-guard.ts requires a `Host` and answers with a problem. Node would answer with an
      // empty body.
      requireHostHeader: false,
      // A request without content has ended before anybody sees it. To have its stream tell of an end
      // costs a quarter of a cached read. The stream tells nothing then, not even that it closes.
      // Node before 24.12 ignores this.
      optimizeEmptyRequests: true,
    },
    clientErrorHandler: clientErrorHandler(logger, crossOrigin),
    frameworkErrors: frameworkErrorHandler(logger, options.countRequest),
  })
  app.setValidatorCompiler(inputValidator)
  app.setSerializerCompiler(serializerCompiler)
  // A server may ignore an unknown expectation (RFC 9110, 10.1.1). Node would answer 417 without a
  // problem document.
  app.server.on('checkExpectation', (req, res) => app.server.emit('request', req, res))
  cutStuckReaders(app.server)
  handleInTurn(app)
  logRequests(app, logger, options.countRequest)
  traceRequests(app, options.spans)
  guardRequests(app, options)
  const methodsOf = noteMethods(app)
  // Pages of other origins are nobody's concern unless the operator has named some.
  if (corsOrigins.length > 0) allowPages(app, crossOrigin, methodsOf)
  handleErrors(app, methodsOf)
  return app
}
