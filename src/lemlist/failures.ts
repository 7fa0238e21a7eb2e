import { Problem } from '../problems.ts'

/** Turns errors on the way to lemlist into the problems that callers are told. */

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/**
 * A call failed before any part of its request had left. The name, the connection, the proxy or the
 * TLS handshake may have failed, or the gateway has stopped.
 */
export class NotSent extends Error {
  constructor(cause: unknown) {
    super('no part of the request has left', { cause })
    this.name = 'NotSent'
  }
}

/** Whether lemlist closed the socket before it answered. */
export const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(codeOf(error))

const isTimeout = (error: unknown): boolean =>
  /^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/.test(codeOf(error)) ||
  (error instanceof Error && error.name === 'TimeoutError')

/**
 * Whether the answer is not HTTP, or breaks the rules of HTTP. Errors of undici's parser often have
 * a name but no code.
 */
const isMalformed = (error: unknown): boolean =>
  (error instanceof Error && error.name === 'HTTPParserError') ||
  /^UND_ERR_(HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH|NOT_SUPPORTED|INVALID_ARG)/.test(
    codeOf(error),
  )

/** Returns a `Problem` unchanged. Any other error becomes the cause of a new one, for the log. */
export const toProblem = (error: unknown): Problem => {
  if (error instanceof NotSent) return toUnsent(toProblem(error.cause))
  if (error instanceof Problem) return error
  if (isTimeout(error)) {
    return new Problem('upstream-timeout', 'lemlist did not answer in time.', { cause: error })
  }
  if (isMalformed(error)) {
    return new Problem('upstream-invalid', 'lemlist gave an answer that the gateway cannot use.', {
      cause: error,
    })
  }
  return new Problem('upstream-unavailable', 'lemlist cannot be reached.', {
    retryAfterMs: 5_000,
    cause: error,
  })
}

const toUnsent = ({ code, message, options }: Problem): Problem =>
  new Problem(code, message, { ...options, notSent: true })
