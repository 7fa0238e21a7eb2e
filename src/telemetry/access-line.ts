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

/**
 * Returns the fields of the log line of a request, as they stand in the line. Each request has exactly
 * one line, so this text is put together by hand: a general writer of JSON costs more than the rest of
 * a cached answer. What is not written by `quoted` has no character that JSON escapes.
 */
export const accessLine = (request: FinishedRequest): string => {
  const { requestId, traceId, method, route, status, aborted, durationMs, cacheStatus, problem } =
    request
  const { caller = 'anonymous', account } = request
  const cause = causeOf(problem)
  return (
    `"requestId":"${requestId}"` +
    (traceId === undefined ? '' : `,"traceId":"${traceId}"`) +
    `,"method":"${method}","route":"${route}"` +
    (status === undefined ? '' : `,"status":${status}`) +
    (aborted ? ',"aborted":true' : '') +
    `,"durationMs":${Math.round(durationMs * 10) / 10},"caller":${quoted(caller)}` +
    (account === undefined ? '' : `,"account":${quoted(account)}`) +
    (typeof cacheStatus === 'string' ? `,"cache":"${cacheStatus.slice(CACHE_NAME.length)}"` : '') +
    (problem === undefined ? '' : `,"problem":"${problem.code}"`) +
    (cause === undefined ? '' : `,"cause":${JSON.stringify(cause)}`)
  )
}

/** The names of callers and accounts as they stand in lines. They come again and again. */
const quotedNames = new Map<string, string>()
/** With more names, all are quoted anew. */
const MAX_NAMES = 1_000

/** Free text, such as the name of a caller. */
const quoted = (text: string): string => {
  let known = quotedNames.get(text)
  if (known === undefined) {
    if (quotedNames.size === MAX_NAMES) quotedNames.clear()
    known = JSON.stringify(text)
    quotedNames.set(text, known)
  }
  return known
}

/** The stack leads to a bug. For trouble with lemlist the stack says nothing useful. */
const causeOf = (problem: Problem | undefined): DescribedError | undefined =>
  problem?.cause instanceof Error
    ? describeError(problem.cause, problem.code === 'internal')
    : undefined
