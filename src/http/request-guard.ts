import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Problem } from '../problems.ts'

export interface GuardOptions {
  /** Whether the gateway listens on loopback only, and so has only the names of loopback. */
  readonly loopback: boolean
  /** Another host, with its port, by which callers name the gateway. */
  readonly publicHost?: string | undefined
  /** Whether the gateway is on its way out. */
  readonly draining: () => boolean
}

const MAX_URL_BYTES = 2 * 1024
/** A hundred exports with ids of the usual length. */
const MAX_EVENTS_URL_BYTES = 8 * 1024
const LOOPBACK_HOST =
  /^(localhost|[a-z0-9.-]{1,200}\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

/**
 * What is refused before any route: over-long URLs, requests that are meant for another host, and what
 * Node's parser lets through though RFC 9110 and 9112 do not.
 */
export const guardRequests = (app: FastifyInstance, options: GuardOptions): void => {
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    // So that callers open their next connection elsewhere, and this process can end.
    if (options.draining()) reply.header('connection', 'close')
    if (isTooLong(raw.url)) {
      done(new Problem('uri-too-long', 'The path and query are too long.'))
    } else if (isMisdirected(raw, options)) {
      done(new Problem('misdirected-request', 'The Host is not one that this gateway serves.'))
    } else if (raw.url === '*') {
      // The router would take it for `/`; it names no resource (RFC 9110, 7.1).
      done(new Problem('not-found', 'There is no such route.'))
    } else if (!isHttp1(raw)) {
      done(new Problem('invalid-request', 'This is not a request of HTTP/1.1 with a Host.'))
    } else if (hasNeedlessBody(raw)) {
      // Nobody reads it: what comes next on this connection would be a guess.
      reply.header('connection', 'close')
      done(new Problem('invalid-request', 'A GET or HEAD has no body here.'))
    } else done()
  })
}

const isTooLong = (url = ''): boolean =>
  url.length > (url.startsWith('/events?') ? MAX_EVENTS_URL_BYTES : MAX_URL_BYTES)

/** HTTP/1.0 may come without a `Host`; other versions are not spoken here, whatever the parser takes. */
const isHttp1 = ({ httpVersion, headers }: IncomingMessage): boolean =>
  httpVersion === '1.0' || (httpVersion === '1.1' && headers.host !== undefined)

const hasNeedlessBody = ({ method, headers }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') &&
  (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)

/**
 * A second `Host` or a URL that names another host lets two servers in a row disagree about who is
 * meant. A gateway on loopback that answered to any name would be open to every web page whose name
 * is made to resolve to loopback (DNS rebinding).
 */
const isMisdirected = (
  { url, headers, rawHeaders }: IncomingMessage,
  { loopback, publicHost }: GuardOptions,
): boolean => {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  const { host } = headers
  if (hosts > 1) return true
  if (url !== undefined && url[0] !== '/' && url !== '*') {
    if (!URL.canParse(url) || new URL(url).host !== host) return true
  }
  return loopback && host !== undefined && host !== publicHost && !LOOPBACK_HOST.test(host)
}
