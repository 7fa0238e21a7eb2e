import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../problems.ts'
import { accessLine } from '../telemetry/access-line.ts'
import { auditDeed, type Deed } from '../telemetry/audit.ts'
import { type Logger, lineWriter, type WriteLine } from '../telemetry/log.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Why the request failed. Set by the error handler, and by the file route for a broken file.
     */
    problem: Problem | undefined
    /** What the caller does, on routes whose use is audited. They set it once the input is sound. */
    deed: Deed | undefined
  }
}

/** Counts a request. `route` is its pattern, `ms` the time until the answer was out. */
export type CountRequest = (route: string, method: string, status: number, ms: number) => void

/** Writes one log line for each request when the request is over, however it ends, and counts it. */
export const logRequests = (
  app: FastifyInstance,
  logger: Logger,
  count?: CountRequest | undefined,
): void => {
  app.decorateRequest('problem', undefined)
  app.decorateRequest('account', undefined)
  app.decorateRequest('deed', undefined)
  const log = { logger, writeLine: lineWriter(logger), count }
  app.addHook('onRequest', (request, reply, done) => {
    logAtEnd(log, request, reply)
    done()
  })
}

interface RequestLog {
  readonly logger: Logger
  /** Writes a line of this logger. */
  readonly writeLine: WriteLine
  readonly count?: CountRequest | undefined
}

/**
 * Logs one request when it is over. Only a request that no hook sees needs a call from outside this
 * file: `logRequests` makes the call for all others.
 */
export const logAtEnd = (
  { logger, writeLine, count }: RequestLog,
  request: FastifyRequest,
  reply: FastifyReply,
): void => {
  const startedAt = performance.now()
  // Fastify's `onResponse` hook does not run for an answer that broke off. `close` always comes, and
  // comes once.
  reply.raw.on('close', () => {
    const { headersSent, writableFinished } = reply.raw
    const { caller, account, deed, problem } = request
    const aborted = !writableFinished
    if (deed !== undefined && caller !== undefined) {
      auditDeed(logger, { requestId: request.id, caller, account, deed, aborted, problem })
    }
    const route = request.routeOptions.url ?? 'unknown'
    const durationMs = performance.now() - startedAt
    count?.(route, request.method, reply.statusCode, durationMs)
    const level = levelOf(reply.statusCode, route)
    if (!logger.isLevelEnabled(level)) return
    const line = accessLine({
      requestId: request.id,
      traceId: request.span?.traceId,
      caller: caller?.name,
      account,
      method: request.method,
      route,
      status: headersSent ? reply.statusCode : undefined,
      aborted,
      durationMs,
      cacheStatus: reply.getHeader('cache-status'),
      problem,
    })
    writeLine(level, line, 'request')
  })
}

/** Health probes come every few seconds and say nothing new, so they are logged at `debug`. */
const levelOf = (status: number, route: string): 'warn' | 'info' | 'debug' => {
  if (status >= 500) return 'warn'
  return route.startsWith('/health/') ? 'debug' : 'info'
}
