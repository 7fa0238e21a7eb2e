import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { Problem } from '../problems.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the error handler: why the answer is a problem. */
    problem: Problem | undefined
  }
}

/** Causes may come from any library: only words of theirs that cannot hold a header or a body. */
const causeOf = (problem: Problem | undefined) => {
  const { cause } = problem ?? {}
  if (!(cause instanceof Error)) return undefined
  const code = 'code' in cause ? cause.code : undefined
  return {
    name: cause.name,
    ...(code !== undefined && { code }),
    message: cause.message.slice(0, 200),
    // A bug is found by its stack; trouble of lemlist has none worth reading.
    ...(problem?.code === 'internal' && { stack: cause.stack }),
  }
}

const NAME = 'lemlist-gateway; '

const cacheResult = (reply: FastifyReply): string | undefined => {
  const header = reply.getHeader('cache-status')
  return typeof header === 'string' ? header.slice(NAME.length) : undefined
}

/** The route's pattern, never the raw URL, which may hold what callers mistyped. */
const line = (request: FastifyRequest, reply: FastifyReply, startedAt: number) => {
  const { headersSent, writableFinished } = reply.raw
  return {
    requestId: request.id,
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    status: headersSent ? reply.statusCode : undefined,
    // The caller went away, or was cut, before the end of the answer.
    aborted: writableFinished ? undefined : true,
    durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
    caller: 'anonymous',
    cache: cacheResult(reply),
    problem: request.problem?.code,
    cause: causeOf(request.problem),
  }
}

/** One line a request, once it is over in whatever way. */
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
    const level = reply.statusCode >= 500 ? 'warn' : quiet(request) ? 'debug' : 'info'
    if (logger.isLevelEnabled(level)) logger[level](line(request, reply, startedAt), 'request')
  })
}

/** Probes come every few seconds and say nothing new. */
const quiet = (request: FastifyRequest): boolean =>
  request.routeOptions.url?.startsWith('/health/') ?? false
