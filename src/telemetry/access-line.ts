import type { Problem } from '../problems.ts'
import { type DescribedError, describeError } from './described.ts'

/** What the gateway knows about a request after its end. */
export interface FinishedRequest {
  readonly requestId: string
  /** The trace that the request belongs to. Undefined without traces. */
  readonly traceId: string | undefined
  /** The name of the caller. Undefined when he has not proved who he is. */
  readonly caller: string | undefined
  /** The account that the request uses, if it is one of the caller's. */
  readonly account: string | undefined
  readonly method: string
  /** The pattern of the route, never the raw URL: a mistyped URL may contain anything. */
  readonly route: string
  /** Undefined when the gateway has not begun an answer. */
  readonly status: number | undefined
  /** True when the caller left, or the gateway cut the connection, before the answer ended. */
  readonly aborted: boolean
  readonly durationMs: number
  /** The `Cache-Status` header that the gateway sent. */
  readonly cacheStatus: unknown
  /** The problem that the gateway answered, if any. */
  readonly problem: Problem | undefined
}

const CACHE_NAME = 'lemlist-gateway; '

/** Returns the fields of the log line of a request. Each request has exactly one line. */
export const accessLine = (request: FinishedRequest) => {
  const { requestId, traceId, method, route, status, aborted, durationMs, cacheStatus, problem } =
    request
  const { caller = 'anonymous', account } = request
  return {
    requestId,
    traceId,
    method,
    route,
    status,
    aborted: aborted ? true : undefined,
    durationMs: Math.round(durationMs * 10) / 10,
    caller,
    account,
    cache: typeof cacheStatus === 'string' ? cacheStatus.slice(CACHE_NAME.length) : undefined,
    problem: problem?.code,
    cause: causeOf(problem),
  }
}

/** The stack leads to a bug. For trouble with lemlist the stack says nothing useful. */
const causeOf = (problem: Problem | undefined): DescribedError | undefined =>
  problem?.cause instanceof Error
    ? describeError(problem.cause, problem.code === 'internal')
    : undefined
