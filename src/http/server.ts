import Fastify, { type FastifyInstance } from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import type { Logger } from '../telemetry/log.ts'
import { clientErrorHandler } from './client-error.ts'
import { frameworkErrorHandler, handleErrors } from './error-handler.ts'
import { type GuardOptions, guardRequests } from './request-guard.ts'
import { requestIdOf } from './request-id.ts'
import { logRequests } from './request-log.ts'

export interface ServerOptions extends GuardOptions {
  readonly logger: Logger
}

const MAX_HEADER_BYTES = 16 * 1024
const MAX_BODY_BYTES = 16 * 1024

/** A Fastify instance with every limit set, every error a problem, and no route yet. */
export const createServer = (options: ServerOptions): FastifyInstance => {
  const { logger } = options
  const app = Fastify({
    // Our own line a request is cheaper than Fastify's two, and never holds a raw URL.
    logger: false,
    genReqId: requestIdOf,
    bodyLimit: MAX_BODY_BYTES,
    // The pattern of an id decides about its length, not the router.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    // A 503 while the port still listens would end an EventSource for good.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    // Slow senders are cut within 5 s; a response may take as long as it likes.
    requestTimeout: 5_000,
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 4_000,
      connectionsCheckingInterval: 1_000,
      // The guard asks for it, and answers with a problem; Node would answer with nothing.
      requireHostHeader: false,
    },
    clientErrorHandler: clientErrorHandler(logger),
    frameworkErrors: frameworkErrorHandler(logger),
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  // An unknown expectation may be ignored (RFC 9110, 10.1.1); Node's own 417 is no problem document.
  app.server.on('checkExpectation', (req, res) => app.server.emit('request', req, res))
  logRequests(app, logger)
  guardRequests(app, options)
  handleErrors(app)
  return app
}
