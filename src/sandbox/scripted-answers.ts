import { bodyOf, type Reply } from './replies.ts'
import type { Operation, Request } from './requests.ts'

/**
 * An answer that a test scripts. lemlist's documentation does not promise it. With `status` or
 * `body` the answer is literal: it has these headers only, and neither the key nor the rate limit
 * matters. Without `status`, `body` and `raw` it is the real answer at the moment of arrival, sent
 * in the manner of the other fields.
 */
export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number
  /**
   * For a literal answer: all its headers. The default is a JSON content type, and missing `Date`,
   * `Connection` and `Content-Length` are added. For a real answer: headers that are set in
   * addition to its own or in their place.
   */
  readonly headers?: Reply['headers']
  readonly body?: string | Buffer
  /** Written to the socket unchanged, instead of any answer. Then the socket is closed. */
  readonly raw?: string | Buffer
  /** How long nothing is sent. Real milliseconds. */
  readonly delayMs?: number
  /** Nothing is sent until this promise resolves. */
  readonly gate?: Promise<void>
  /**
   * Where a TCP reset comes. With `mid-body` it comes after `truncateAt` bytes of the body, by
   * default after half of it.
   */
  readonly reset?: 'before-headers' | 'mid-headers' | 'mid-body'
  /**
   * How many bytes of the body are sent before the socket is closed. Fewer than the announced
   * length.
   */
  readonly truncateAt?: number
  /** The speed at which the body, or `raw`, is sent. */
  readonly dripBytesPerSecond?: number
  /**
   * Nothing more is sent, and the socket stays open. This begins after `raw`, after `truncateAt`
   * bytes, or else before anything is sent.
   */
  readonly hang?: boolean
  /**
   * Further bytes that are written to the socket after the answer, although nobody asked for them.
   */
  readonly extra?: string | Buffer
}

/** Which requests get a scripted answer. A field that is left out matches every request. */
export interface ScriptMatch {
  readonly campaignId?: string
  readonly exportId?: string
  readonly operation?: Operation
  /** How many matching requests get the answer. Default: all from now on. */
  readonly times?: number
}

export const literalReply = (scripted: ScriptedAnswer): Reply | undefined => {
  const { status, body, raw } = scripted
  if (status === undefined && body === undefined && raw === undefined) return undefined
  const headers = scripted.headers ?? { 'Content-Type': 'application/json' }
  return { status: status ?? 200, headers, body: bodyOf(body ?? '') }
}

export interface Scripts {
  add(match: ScriptMatch, answer: ScriptedAnswer): void
  /**
   * Returns the answer for this request and counts it as used. Answers with `times` go first, in
   * the order in which they were added. After them the answer without `times` that was added last
   * is used.
   */
  next(request: Request): ScriptedAnswer | undefined
  clear(): void
}

export const createScripts = (): Scripts => {
  const counted: { match: ScriptMatch; left: number; answer: ScriptedAnswer }[] = []
  const standing: { match: ScriptMatch; answer: ScriptedAnswer }[] = []

  const matches = (match: ScriptMatch, request: Request) =>
    (match.campaignId ?? request.campaignId) === request.campaignId &&
    (match.exportId ?? request.exportId) === request.exportId &&
    (match.operation ?? request.operation) === request.operation

  return {
    add(match, answer) {
      if (match.times === undefined) standing.unshift({ match, answer })
      else counted.push({ match, left: match.times, answer })
    },
    next(request) {
      const turn = counted.find(({ match, left }) => left > 0 && matches(match, request))
      if (turn === undefined) return standing.find(({ match }) => matches(match, request))?.answer
      turn.left -= 1
      if (turn.left === 0) counted.splice(counted.indexOf(turn), 1)
      return turn.answer
    },
    clear() {
      counted.length = 0
      standing.length = 0
    },
  }
}
