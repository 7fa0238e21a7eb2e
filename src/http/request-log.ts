import type { ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../access/caller.ts'
import type { Problem } from '../problems.ts'
import { accessLine } from '../telemetry/access-line.ts'
import { auditDeed, type Deed } from '../telemetry/audit.ts'
import { type Logger, lineWriter, type WriteLine } from '../telemetry/log.ts'
import type { Span } from '../telemetry/spans.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the gateway notes of the request. Only `handleInTurn` runs before it is there. */
    notes: RequestNotes
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
  // One decoration for all. Fastify sets each of them in each request, which costs more than to read it.
  app.decorateRequest('notes')
  const log = { logger, writeLine: lineWriter(logger, 'request'), count }
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
  const notes = new RequestNotes(log, request)
  request.notes = notes
  raw.on('close', () => notes.over(raw))
}

/** What wants to know that a response is over. */
export interface Listener {
  over(): void
}

/**
 * What is found out about a request while it is served, and the line that tells of it in the end. It
 * holds neither the request nor the reply, because a stream may be open for hours.
 */
export class RequestNotes {
  /** The pattern of the route, `unknown` when there is none. */
  readonly route: string
  /** What the route has said of itself. */
  readonly config: FastifyContextConfig
  /** Who calls. Undefined until he is known, and on open routes. */
  caller: Caller | undefined = undefined
  /** The account that the request uses, if it is one of the caller's. */
  account: string | undefined = undefined
  /** What the caller does, on routes whose use is audited. They set it once the input is sound. */
  deed: Deed | undefined = undefined
  /**
   * Why the request failed. Set by the error handler, and by the file route for a broken file.
   */
  problem: Problem | undefined = undefined
  /** The `Cache-Status` of the answer. */
  cacheStatus: string | undefined = undefined
  /** The span of the request. Undefined while nobody wants traces, and once a stream has begun. */
  span: Span | undefined = undefined
  /** The trace that the request belongs to. Undefined without traces. */
  traceId: string | undefined = undefined
  /** Monotonic milliseconds. */
  readonly startedAt = performance.now()
  readonly #log: RequestLog
  readonly #id: string
  readonly #method: string
  #listener: Listener | undefined
  #isWritten = false

  constructor(log: RequestLog, request: FastifyRequest) {
    // Fastify makes these options anew whenever somebody reads them.
    const { url = 'unknown', config } = request.routeOptions
    this.route = url
    this.config = config
    this.#log = log
    this.#id = request.id
    this.#method = request.method
  }

  /**
   * Leaves the end of the response to a stream, which then has the line written. So a stream needs no
   * listener of its own, and it also hears of a caller who left before there was a stream.
   *
   * @param listener undefined to take the end back. When the response is over already, the listener is
   * told so as soon as the code that runs now is done.
   */
  leaveEndTo(listener: Listener | undefined): void {
    this.#listener = listener
    if (this.#isWritten) queueMicrotask(() => listener?.over())
  }

  /** The response is over. */
  over(response: ServerResponse): void {
    if (this.#listener === undefined) this.write(response)
    else this.#listener.over()
  }

  /** What the lines of the request have in common. */
  about() {
    const { traceId, route, caller, account } = this
    const ms = performance.now() - this.startedAt
    return { requestId: this.#id, traceId, route, caller: caller?.name, account, ms }
  }

  /** Writes the line, once. */
  write({ statusCode, headersSent, writableFinished }: ServerResponse): void {
    if (this.#isWritten) return
    this.#isWritten = true
    const { logger, writeLine, count } = this.#log
    const { route, traceId, caller, account, deed, problem, cacheStatus } = this
    const requestId = this.#id
    const method = this.#method
    const aborted = !writableFinished
    if (deed !== undefined && caller !== undefined) {
      auditDeed(logger, { requestId, caller, account, deed, aborted, problem })
    }
    const durationMs = performance.now() - this.startedAt
    count?.(route, method, statusCode, durationMs)
    const level = levelOf(statusCode, route)
    if (!logger.isLevelEnabled(level)) return
    const line = accessLine({
      requestId,
      traceId,
      caller: caller?.name,
      account,
      method,
      route,
      status: headersSent ? statusCode : undefined,
      aborted,
      durationMs,
      cacheStatus,
      problem,
    })
    writeLine(level, line)
  }
}

/** Health probes come every few seconds and say nothing new, so they are logged at `debug`. */
const levelOf = (status: number, route: string): 'warn' | 'info' | 'debug' => {
  if (status >= 500) return 'warn'
  return route.startsWith('/health/') ? 'debug' : 'info'
}
