import { Problem } from '../problems.ts'

/** What can go wrong on the way to lemlist, as the problem that callers are told. */

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

/** The other side closed the socket before it answered. */
export const isReset = (error: unknown): boolean =>
  ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(codeOf(error))

const isTimeout = (error: unknown): boolean =>
  /^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/.test(codeOf(error)) ||
  (error instanceof Error && error.name === 'TimeoutError')

/** Not HTTP, or HTTP beyond its own rules. Errors of undici's parser often have no code, only a name. */
const isMalformed = (error: unknown): boolean =>
  (error instanceof Error && error.name === 'HTTPParserError') ||
  /^UND_ERR_(HEADERS_OVERFLOW|RES_CONTENT_LENGTH_MISMATCH|NOT_SUPPORTED|INVALID_ARG)/.test(
    codeOf(error),
  )

/** No connection was made, so lemlist has heard nothing. */
const isNotSent = (error: unknown): boolean =>
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|ERR_TLS_.*|.*_CERT(IFICATE)?(_.*)?)$/.test(
    codeOf(error),
  )

/** Problems pass through; the cause is kept for the log. */
export const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error
  if (isTimeout(error)) {
    return new Problem('upstream-timeout', 'lemlist did not answer in time.', {
      cause: error,
      notSent: isNotSent(error),
    })
  }
  if (isMalformed(error)) {
    return new Problem('upstream-invalid', 'lemlist gave an answer that cannot be used.', {
      cause: error,
    })
  }
  return new Problem('upstream-unavailable', 'lemlist cannot be reached.', {
    retryAfterMs: 5_000,
    cause: error,
    notSent: isNotSent(error),
  })
}
