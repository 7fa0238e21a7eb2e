import type { Problem } from '../problems.ts'
import { type DescribedError, describeError } from './described.ts'
import { createRequestSeries } from './request-series.ts'

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
  readonly cacheStatus: string | undefined
  /** The problem that the gateway answered, if any. */
  readonly problem: Problem | undefined
}

const CACHE_NAME = 'lemlist-gateway; '

/**
 * Returns the fields of the log line of a request, as they stand in the line, each after a comma. Each
 * request has exactly one line, so this text is put together by hand, and of few parts: a general writer
 * of JSON costs more than the rest of a cached answer. What is not written by `quoted` has no character
 * that JSON escapes.
 */
export const accessLine = (request: FinishedRequest): string => {
  const { requestId, traceId, method, route, status, aborted, durationMs, cacheStatus, problem } =
    request
  const { caller = 'anonymous', account } = request
  const cause = causeOf(problem)
  return (
    (traceId === undefined
      ? `,"requestId":"${requestId}`
      : `,"requestId":"${requestId}","traceId":"${traceId}`) +
    asked.of(route, method, status ?? NO_STATUS) +
    (aborted ? ',"aborted":true' : '') +
    `,"durationMs":${Math.round(durationMs * 10) / 10}` +
    calling(caller, account) +
    (cacheStatus === undefined ? '' : `,"cache":"${cacheStatus.slice(CACHE_NAME.length)}"`) +
    (problem === undefined ? '' : `,"problem":"${problem.code}"`) +
    (cause === undefined ? '' : `,"cause":${JSON.stringify(cause)}`)
  )
}

const NO_STATUS = 0

/** What was asked, and the status of the answer. Begins with the end of a quoted text. */
const asked = createRequestSeries(
  (route, method, status) =>
    `","method":"${method}","route":"${route}"${status === NO_STATUS ? '' : `,"status":${status}`}`,
)

/** Who calls, by the name of the caller and the account. */
const callers = new Map<string, Map<string | undefined, string>>()
/** With more callers, all texts are made anew. */
const MAX_CALLERS = 1_000

/** Which part of the bound is used, 0 to 1. */
export const loggedCallersUsedPart = (): number => callers.size / MAX_CALLERS

const calling = (caller: string, account: string | undefined): string => {
  const known = callers.get(caller)?.get(account)
  if (known !== undefined) return known
  if (callers.size >= MAX_CALLERS) callers.clear()
  const accounts = callers.get(caller) ?? new Map<string | undefined, string>()
  const text = `,"caller":${quoted(caller)}${account === undefined ? '' : `,"account":${quoted(account)}`}`
  callers.set(caller, accounts.set(account, text))
  return text
}

/** Free text, such as the name of a caller. */
const quoted = (text: string): string => JSON.stringify(text)

/** The stack leads to a bug. For trouble with lemlist the stack says nothing useful. */
const causeOf = (problem: Problem | undefined): DescribedError | undefined =>
  problem?.cause instanceof Error
    ? describeError(problem.cause, problem.code === 'internal')
    : undefined
