import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from '../problems.ts'
import { accessLine } from '../telemetry/access-line.ts'
import { auditDeed, type Deed } from '../telemetry/audit.ts'
import { type Logger, lineWriter, type WriteLine } from '../telemetry/log.ts'
import type { Span } from '../telemetry/spans.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * Why the request failed. Set by the error handler, and by the file route for a broken file.
     */
    problem: Problem | undefined
    /** What the caller does, on routes whose use is audited. They set it once the input is sound. */
    deed: Deed | undefined
    /** The line that tells of the request when it is over. */
    line: RequestLine | undefined
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
  app.decorateRequest('line', undefined)
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
export const logAtEnd = (log: RequestLog, request: FastifyRequest, reply: FastifyReply): void => {
  const { raw } = reply
  // Fastify's `onResponse` hook does not run for an answer that broke off. `close` always comes, and
  // comes once.
  const onClose = (): void => line.write(raw)
  const line = new RequestLine(log, request, reply, onClose)
  request.line = line
  raw.on('close', onClose)
}

/** What the line says of a request. */
type Asked = Pick<FastifyRequest, 'id' | 'method' | 'caller' | 'account' | 'deed' | 'problem'> & {
  readonly span: Pick<Span, 'traceId'> | undefined
}

/** The line of one request, from its beginning to its end. */
export class RequestLine {
  readonly #log: RequestLog
  readonly #route: string
  readonly #startedAt = performance.now()
  #request: Asked
  #reply: Pick<FastifyReply, 'getHeader'> | undefined
  #onClose: (() => void) | undefined

  /** @param onClose the listener of the response that writes the line */
  constructor(log: RequestLog, request: FastifyRequest, reply: FastifyReply, onClose: () => void) {
    this.#log = log
    this.#request = request
    this.#reply = reply
    this.#onClose = onClose
    this.#route = request.routeOptions.url ?? 'unknown'
  }

  /**
   * Keeps what the line says, and neither the request nor the reply. Called when a stream begins, which
   * may be open for hours. The stream has a listener of its own and calls `writeAfter`, so the line
   * needs none.
   */
  letGo(response: ServerResponse): void {
    const { id, method, caller, account, deed, problem, span } = this.#request
    const said = span && { traceId: span.traceId }
    this.#request = { id, method, caller, account, deed, problem, span: said }
    this.#reply = undefined
    if (this.#onClose !== undefined) response.off('close', this.#onClose)
    this.#onClose = undefined
  }

  /** What the lines of the request have in common. */
  about() {
    const { id: requestId, caller, account, span } = this.#request
    const ms = performance.now() - this.#startedAt
    return {
      requestId,
      traceId: span?.traceId,
      route: this.#route,
      caller: caller?.name,
      account,
      ms,
    }
  }

  /** Writes the line of a response that is over, if the response has no listener for it. */
  writeAfter(response: ServerResponse): void {
    if (this.#onClose === undefined) this.write(response)
  }

  write({ statusCode, headersSent, writableFinished }: ServerResponse): void {
    const { logger, writeLine, count } = this.#log
    const { id: requestId, method, caller, account, deed, problem, span } = this.#request
    const aborted = !writableFinished
    if (deed !== undefined && caller !== undefined) {
      auditDeed(logger, { requestId, caller, account, deed, aborted, problem })
    }
    const route = this.#route
    const durationMs = performance.now() - this.#startedAt
    count?.(route, method, statusCode, durationMs)
    const level = levelOf(statusCode, route)
    if (!logger.isLevelEnabled(level)) return
    const line = accessLine({
      requestId,
      traceId: span?.traceId,
      caller: caller?.name,
      account,
      method,
      route,
      status: headersSent ? statusCode : undefined,
      aborted,
      durationMs,
      cacheStatus: this.#reply?.getHeader('cache-status'),
      problem,
    })
    writeLine(level, line, 'request')
  }
}

/** Health probes come every few seconds and say nothing new, so they are logged at `debug`. */
const levelOf = (status: number, route: string): 'warn' | 'info' | 'debug' => {
  if (status >= 500) return 'warn'
  return route.startsWith('/health/') ? 'debug' : 'info'
}
