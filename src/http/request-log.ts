import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../problems.ts'
import { accessLine } from '../telemetry/access-line.ts'
import type { Logger } from '../telemetry/log.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the error handler: why the answer is a problem. */
    problem: Problem | undefined
  }
}

/** Writes one line for each request, once it is over in whatever way. */
export const logRequests = (app: FastifyInstance, logger: Logger): void => {
  app.decorateRequest('problem', undefined)
  app.addHook('onRequest', (request, reply, done) => {
    logAtEnd(logger, request, reply)
    done()
  })
}

/** For a request that no hook sees; all others are logged by themselves. */
export const logAtEnd = (logger: Logger, request: FastifyRequest, reply: FastifyReply): void => {
  const startedAt = performance.now()
  // Fastify's onResponse comes only when an answer was sent to its end.
  reply.raw.once('close', () => {
    const { headersSent, writableFinished } = reply.raw
    const route = request.routeOptions.url ?? 'unknown'
    const level = levelOf(reply.statusCode, route)
    if (!logger.isLevelEnabled(level)) return
    const line = accessLine({
      requestId: request.id,
      method: request.method,
      route,
      status: headersSent ? reply.statusCode : undefined,
      aborted: !writableFinished,
      durationMs: performance.now() - startedAt,
      cacheStatus: reply.getHeader('cache-status'),
      problem: request.problem,
    })
    logger[level](line, 'request')
  })
}

/** Probes come every few seconds and say nothing new. */
const levelOf = (status: number, route: string): 'warn' | 'info' | 'debug' => {
  if (status >= 500) return 'warn'
  return route.startsWith('/health/') ? 'debug' : 'info'
}
