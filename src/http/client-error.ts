import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { Problem, toDocument } from '../problems.ts'
import type { Logger } from '../telemetry/log.ts'
import { PROBLEM_TYPE } from './error-handler.ts'
import { newRequestId } from './request-id.ts'

/** How long what is still on its way from a refused sender is read and thrown away. */
const LINGER_MS = 1_000

/** What Node's parser refuses never becomes a request: the problem is written to the socket itself. */
export const clientErrorHandler = (logger: Logger) => {
  const refused = new WeakSet<Socket>()
  return (error: ConnectionError, socket: Socket): void => {
    // The parser complains anew of every byte that follows.
    if (refused.has(socket)) return
    // Node's own field (read, never set): a problem in the middle of another answer would garble it.
    const { _httpMessage: answering } = socket as {
      _httpMessage?: { headersSent?: boolean } | null
    }
    if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent === true) {
      socket.destroy()
      return
    }
    const problem = clientProblem(error)
    const requestId = newRequestId()
    const body = JSON.stringify(toDocument(problem, requestId))
    logger.info(
      { requestId, route: 'unknown', status: problem.status, problem: problem.code },
      'malformed request',
    )
    const head = [
      `HTTP/1.1 ${problem.status} ${problem.title}`,
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Cache-Control: no-store',
      `X-Request-Id: ${requestId}`,
      'Connection: close',
    ]
    const answer = `${head.join('\r\n')}\r\n\r\n${body}`
    if (error.code?.startsWith('HPE_')) {
      // Closing with bytes unread is a reset, which overtakes the answer.
      refused.add(socket)
      socket.end(answer)
      setTimeout(() => socket.destroy(), LINGER_MS).unref()
    } else socket.end(answer, () => socket.destroySoon())
  }
}

const clientProblem = ({ code, rawPacket }: ConnectionError): Problem => {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Problem('request-timeout', 'The request did not arrive in time.')
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    // Typed as the JSON of a Buffer, but a Buffer.
    const packet: unknown = rawPacket
    return Buffer.isBuffer(packet) && packet.subarray(0, 4096).indexOf('\r\n') === -1
      ? new Problem('uri-too-long', 'The URL is too long.')
      : new Problem('header-too-large', 'The headers are over 16 KiB.')
  }
  return new Problem('invalid-request', 'This is not an HTTP request that the gateway can read.')
}
