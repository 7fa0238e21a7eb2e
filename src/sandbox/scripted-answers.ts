import { bodyOf, type Reply } from './replies.ts'
import type { Operation, Request } from './requests.ts'

/**
 * An answer that lemlist's documentation does not promise. With `status` or `body` it is literal:
 * nothing but these headers, without regard to key and rate limit. Without these and `raw` the real answer of the
 * moment of arrival is given, in the manner that the other fields say.
 */
export interface ScriptedAnswer {
  /** Default 200. */
  readonly status?: number
  /**
   * Literal answer: all of its headers (default a JSON content type; `Date`, `Connection` and
   * `Content-Length` are added when they are missing). Real answer: set on top of its own.
   */
  readonly headers?: Reply['headers']
  readonly body?: string | Buffer
  /** Written to the socket as it is instead of any answer; then the socket is closed. */
  readonly raw?: string | Buffer
  /** Nothing is sent for so long. Real milliseconds. */
  readonly delayMs?: number
  /** Nothing is sent until it resolves. */
  readonly gate?: Promise<void>
  /** Where a TCP reset comes; `mid-body` after `truncateAt` bytes of body, default half of it. */
  readonly reset?: 'before-headers' | 'mid-headers' | 'mid-body'
  /** Bytes of body that are sent before the socket is closed, less than the length announced. */
  readonly truncateAt?: number
  /** Speed of the body, or of all of `raw`. */
  readonly dripBytesPerSecond?: number
  /** Nothing more comes and the socket stays open: after `raw`, after `truncateAt` bytes, or at all. */
  readonly hang?: boolean
  /** Written to the socket after the answer, which nobody asked for. */
  readonly extra?: string | Buffer
}

/** Which requests get it; a field left out matches all. */
export interface ScriptMatch {
  readonly campaignId?: string
  readonly exportId?: string
  readonly operation?: Operation
  /** The next so many; default all from now on. */
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
  /** The answer for this request, used up once. Counted ones in their order, then the latest standing one. */
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
