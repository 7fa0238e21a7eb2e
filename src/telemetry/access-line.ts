import type { Problem } from '../problems.ts'

/** What is known of a request once it is over. */
export interface FinishedRequest {
  readonly requestId: string
  readonly method: string
  /** The pattern of its route, never the raw URL, which may hold what callers mistyped. */
  readonly route: string
  /** Undefined when no answer was begun. */
  readonly status: number | undefined
  /** The caller went away, or was cut, before the end of the answer. */
  readonly aborted: boolean
  readonly durationMs: number
  /** `Cache-Status`, as it was sent. */
  readonly cacheStatus: unknown
  /** Why the answer is a problem. */
  readonly problem: Problem | undefined
}

const CACHE_NAME = 'lemlist-gateway; '

/** The fields of the one line that the log has for each request. */
export const accessLine = (request: FinishedRequest) => {
  const { requestId, method, route, status, aborted, durationMs, cacheStatus, problem } = request
  return {
    requestId,
    method,
    route,
    status,
    aborted: aborted ? true : undefined,
    durationMs: Math.round(durationMs * 10) / 10,
    caller: 'anonymous',
    cache: typeof cacheStatus === 'string' ? cacheStatus.slice(CACHE_NAME.length) : undefined,
    problem: problem?.code,
    cause: causeOf(problem),
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
