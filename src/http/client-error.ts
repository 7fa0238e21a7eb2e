import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { Problem, toDocument } from '../problems.ts'
import type { Logger } from '../telemetry/log.ts'
import { PROBLEM_TYPE } from './error-handler.ts'
import type { CrossOrigin } from './origins/cross-origin.ts'
import { newRequestId, requestIdOf } from './request-id.ts'

/**
 * How long the gateway goes on reading from a sender that it has refused, milliseconds. It drops
 * what it reads.
 */
const LINGER_MS = 1_000

/**
 * Answers what Node's HTTP parser refuses. It never becomes a request and never reaches Fastify, so
 * this handler writes the problem to the socket itself.
 */
export const clientErrorHandler = (logger: Logger, { headersFor }: CrossOrigin) => {
  const refused = new WeakSet<Socket>()
  return (error: ConnectionError, socket: Socket): void => {
    // After the first refusal the parser reports an error for all further data of this socket, too.
    if (refused.has(socket)) return
    const { answering, arriving } = stateOf(socket)
    if (error.code === 'ECONNRESET' || !socket.writable || answering?.headersSent === true) {
      socket.destroy()
      return
    }
    refused.add(socket)
    // The request that is being answered arrived whole: what came behind it is wrong. Its caller
    // must learn what became of it, such as of a start.
    if (answering?.req.complete) {
      answering.setHeader('connection', 'close')
      return
    }
    // The request was answered before its content broke off. A second answer would be taken for
    // that to the next request.
    if (answering === undefined && arriving?.complete === false) {
      end(socket, error, '')
      return
    }
    const problem = clientProblem(error)
    const requestId = answering ? requestIdOf(answering.req) : newRequestId()
    const origin = answering ? answering.req.headers.origin : originIn(error)
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
      ...Object.entries(headersFor(origin)).map(([name, value]) => `${name}: ${value}`),
    ]
    end(socket, error, `${head.join('\r\n')}\r\n\r\n${body}`)
  }
}

/**
 * Node's own fields of a connection, which are only read here. `answering` is the response that is
 * being written: a problem in the middle of another response would garble that response. `arriving`
 * is the newest request whose head was read.
 */
const stateOf = (socket: Socket) => {
  const { _httpMessage, parser } = socket as {
    _httpMessage?: Pick<ServerResponse, 'headersSent' | 'req' | 'setHeader'> | null
    parser?: { readonly incoming?: IncomingMessage | null } | null
  }
  return { answering: _httpMessage ?? undefined, arriving: parser?.incoming ?? undefined }
}

const end = (socket: Socket, { code }: ConnectionError, answer: string): void => {
  if (code?.startsWith('HPE_')) {
    // When a socket is closed while received bytes are unread, the kernel sends a TCP reset. The
    // reset can reach the sender before the answer does. So the socket is read for a little longer.
    socket.end(answer)
    setTimeout(() => socket.destroy(), LINGER_MS).unref()
  } else socket.end(answer, () => socket.destroySoon())
}

/** The types of Fastify call `rawPacket` the JSON form of a Buffer. It is a Buffer. */
const packetOf = ({ rawPacket }: ConnectionError): Buffer => {
  const packet: unknown = rawPacket
  return Buffer.isBuffer(packet) ? packet : Buffer.alloc(0)
}

const ORIGIN_LINE = /\r\norigin:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)/gi

/**
 * The origin that a refused request names, if it has arrived. A page can make its browser send
 * headers that are too large, and should be able to read the refusal.
 */
const originIn = (error: ConnectionError): string | undefined => {
  const packet = packetOf(error).toString('latin1')
  const end = packet.indexOf('\r\n\r\n')
  // With the end of its last line. A line that has not arrived whole does not count.
  const head = end === -1 ? packet : packet.slice(0, end + 2)
  const [first, ...more] = [...head.matchAll(ORIGIN_LINE)]
  return more.length === 0 ? first?.[1] : undefined
}

const clientProblem = (error: ConnectionError): Problem => {
  const { code } = error
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Problem('request-timeout', 'The request did not arrive in time.')
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return packetOf(error).subarray(0, 4096).indexOf('\r\n') === -1
      ? new Problem('uri-too-long', 'The URL is too long.')
      : new Problem('header-too-large', 'The headers are larger than 16 KiB.')
  }
  return new Problem('invalid-request', 'This is not an HTTP request that the gateway can read.')
}
