/**
 * Every problem that a caller can see (RFC 9457). The table holds plain values: the code, the
 * status, and whether the caller may try again. A problem never contains parts of lemlist's
 * answers, headers or host names.
 */

interface ProblemKind {
  readonly status: number
  readonly title: string
  /** Whether the same, unchanged request may succeed later. */
  readonly retryable: boolean
}

const kind = (status: number, title: string, retryable = false): ProblemKind => ({
  status,
  title,
  retryable,
})

export const PROBLEMS = {
  'invalid-id': kind(400, 'Not an id of lemlist'),
  'invalid-request': kind(400, 'Malformed request'),
  unauthenticated: kind(401, 'Not authenticated'),
  forbidden: kind(403, 'Forbidden'),
  'not-acceptable': kind(406, 'Only an event stream is served here'),
  'not-found': kind(404, 'No such route'),
  'method-not-allowed': kind(405, 'Method not allowed'),
  'export-not-found': kind(404, 'Export not found'),
  'campaign-not-found': kind(404, 'Campaign not found'),
  'export-timed-out': kind(404, 'Export timed out'),
  'export-not-ready': kind(409, 'Export not ready', true),
  'export-failed': kind(409, 'Export failed'),
  'idempotency-in-progress': kind(409, 'The same key is being worked on', true),
  'start-outcome-unknown': kind(409, 'Outcome of the start unknown'),
  'export-expired': kind(410, 'Export expired'),
  'rate-limited': kind(429, 'Too many requests of this caller', true),
  'request-timeout': kind(408, 'Request came too slowly', true),
  'payload-too-large': kind(413, 'Body too large'),
  'uri-too-long': kind(414, 'URL too long'),
  'unsupported-media-type': kind(415, 'Unsupported body type'),
  'misdirected-request': kind(421, 'Not this host'),
  'header-too-large': kind(431, 'Headers too large'),
  internal: kind(500, 'Internal error', true),
  'upstream-invalid': kind(502, 'Unusable answer from lemlist', true),
  'upstream-credentials': kind(502, 'lemlist refuses the credentials of the gateway'),
  'upstream-unavailable': kind(503, 'lemlist is unavailable', true),
  'budget-exhausted': kind(503, 'No call to lemlist free in time', true),
  'store-unavailable': kind(503, 'Store unavailable', true),
  overloaded: kind(503, 'Overloaded', true),
  'upstream-timeout': kind(504, 'lemlist did not answer in time', true),
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof PROBLEMS

export const isProblemCode = (value: unknown): value is ProblemCode =>
  typeof value === 'string' && Object.hasOwn(PROBLEMS, value)

/** Names a place in the caller's input and says what is wrong there. */
export interface InputError {
  readonly path: string
  readonly message: string
}

export interface ProblemOptions {
  /** Milliseconds after which the caller may try again. The gateway sends them as `Retry-After`. */
  readonly retryAfterMs?: number
  readonly errors?: readonly InputError[]
  /** The value of the `Allow` header. Only for `method-not-allowed`. */
  readonly allow?: string
  /** The HTTP status of the lemlist answer that caused the problem. Callers never see it. */
  readonly upstreamStatus?: number
  /** True when no part of the call has reached lemlist. */
  readonly notSent?: boolean
  /** Replaces what the table says. False for a start that may have had its effect. */
  readonly retryable?: false
  /** The original error. Only the log shows it. */
  readonly cause?: unknown
}

/** An error that callers may see. Any other error is a bug and is answered as `internal`. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  readonly retryable: boolean
  readonly options: ProblemOptions

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    // A problem is an answer and no fault of the code, and nobody reads where it was made. To collect
    // the stack would be a tenth of what it costs to turn a request away.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = limit
    const { status, title, retryable } = PROBLEMS[code]
    this.name = 'Problem'
    this.code = code
    this.status = status
    this.title = title
    this.retryable = options.retryable ?? retryable
    this.options = options
  }
}

/** The members of the RFC 9457 object that the caller receives. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly code: ProblemCode
  readonly retryable: boolean
  readonly errors?: readonly InputError[]
}

/** @param requestId becomes `instance`, so that a caller's report leads to its log line */
export const toDocument = (problem: Problem, requestId: string): ProblemDocument => ({
  type: `urn:lemlist-export-gateway:problem:${problem.code}`,
  title: problem.title,
  status: problem.status,
  detail: problem.message,
  instance: requestId,
  code: problem.code,
  retryable: problem.retryable,
  ...(problem.options.errors && { errors: problem.options.errors }),
})
