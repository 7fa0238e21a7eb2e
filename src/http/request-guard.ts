import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { Problem } from '../problems.ts'

export interface GuardOptions {
  /**
   * Whether the gateway listens on loopback only. If so, it accepts no host but the names of
   * loopback and `publicHost`.
   */
  readonly loopback: boolean
  /** The host of `PUBLIC_URL`, with its port unless that is the default one. */
  readonly publicHost?: string | undefined
  /** Whether the gateway is stopping. */
  readonly draining: () => boolean
}

const MAX_URL_BYTES = 2 * 1024
/** Enough for a hundred exports with ids of the usual length. */
const MAX_EVENTS_URL_BYTES = 8 * 1024
const LOOPBACK_HOST =
  /^(localhost|[a-z0-9.-]{1,200}\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i

/**
 * Refuses, before any route runs, URLs that are too long, requests that are meant for another host,
 * and requests that Node's parser accepts although RFC 9110 and RFC 9112 forbid them.
 */
export const guardRequests = (app: FastifyInstance, options: GuardOptions): void => {
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    // While the gateway stops, every answer closes its connection. So callers open their next one
    // to another gateway, and this process can end.
    if (options.draining()) reply.header('connection', 'close')
    if (isTooLong(raw.url)) {
      done(new Problem('uri-too-long', 'The path and query are too long.'))
    } else if (isMisdirected(raw, options)) {
      done(new Problem('misdirected-request', 'The gateway does not serve this host.'))
    } else if (raw.url === '*') {
      // The router would serve `*` like `/`, but `*` names no resource (RFC 9110, 7.1).
      done(new Problem('not-found', 'There is no such route.'))
    } else if (!isHttp1(raw)) {
      done(new Problem('invalid-request', 'This is not an HTTP/1.1 request with a Host header.'))
    } else if (hasNeedlessBody(raw)) {
      // Nobody reads the body, so the gateway cannot know where the next request on this connection
      // begins.
      reply.header('connection', 'close')
      done(new Problem('invalid-request', 'A GET or HEAD request must have no body.'))
    } else done()
  })
}

const isTooLong = (url = ''): boolean =>
  url.length > (url.startsWith('/events?') ? MAX_EVENTS_URL_BYTES : MAX_URL_BYTES)

/**
 * HTTP/1.0 needs no `Host`, HTTP/1.1 does. Node's parser accepts further versions, which the
 * gateway does not speak.
 */
const isHttp1 = ({ httpVersion, headers }: IncomingMessage): boolean =>
  httpVersion === '1.0' || (httpVersion === '1.1' && headers.host !== undefined)

const hasNeedlessBody = ({ method, headers }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') &&
  (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)

/**
 * Whether a request is meant for another host. With a second `Host`, or with a URL that names
 * another host than `Host` does, a proxy and the gateway could disagree about the host that is
 * meant. A gateway on loopback must not accept every name: an attacker can make the name of a web
 * page resolve to loopback, and the page could then read from the gateway (DNS rebinding).
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
