import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Problem } from '../problems.ts'
import { contentOf } from './needless-content.ts'
import { isSameHost, pathAndQueryOf, pathOf } from './request-target.ts'

export interface GuardOptions {
  /**
   * Whether the gateway listens on loopback only. If so, it accepts no host but the names of
   * loopback and the host of `publicUrl`.
   */
  readonly loopback: boolean
  /** Where callers reach the gateway: `PUBLIC_URL`. */
  readonly publicUrl?: URL | undefined
  /** Whether the gateway is stopping. */
  readonly draining: () => boolean
}

const MAX_URL_BYTES = 2 * 1024
/** Enough for a hundred exports with ids of the usual length, or for a ticket. */
const MAX_LONG_URL_BYTES = 8 * 1024
const LONG_URLS = /^(\/campaigns\/[^/]+(\/export\/[^/]+)?)?\/(events|file)$/
const LOOPBACK_HOST =
  /^(localhost|[a-z0-9.-]{1,200}\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{0,5})?$/i

/**
 * Refuses, before any route runs, URLs that are too long, requests that are meant for another host,
 * and requests that Node's parser accepts although RFC 9110 and RFC 9112 forbid them.
 */
export const guardRequests = (app: FastifyInstance, options: GuardOptions): void => {
  const isOurs = createHostCheck(options)
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request
    // While the gateway stops, every answer closes its connection. So callers open their next one
    // to another gateway, and this process can end. The header is set on the response of Node, so that
    // an answer that a route writes without Fastify has it, too.
    if (options.draining()) reply.raw.setHeader('connection', 'close')
    // HTTP/1.0 has no chunks, so whoever passed this on may not know them (RFC 9112, 6.1).
    if (raw.httpVersion === '1.0' && raw.headers['transfer-encoding'] !== undefined) {
      return done(unframed(reply, 'An HTTP/1.0 request must have no Transfer-Encoding.'))
    }
    const refusal = refusalOf(raw, isOurs)
    if (refusal !== undefined) return done(refusal)
    if (raw.method !== 'GET' && raw.method !== 'HEAD') {
      forgetTypeOfNothing(raw)
      return done()
    }
    const refuse = (): void => done(unframed(reply, 'A GET or HEAD request must have no body.'))
    if (Number(raw.headers['content-length'] ?? 0) > 0) return refuse()
    if (raw.headers['transfer-encoding'] === undefined) return done()
    void contentOf(raw).then((content) => (content === 'none' ? done() : refuse()))
  })
}

/** A refusal after which the gateway cannot know where the next request begins. */
const unframed = (reply: FastifyReply, detail: string): Problem => {
  reply.header('connection', 'close')
  return new Problem('invalid-request', detail)
}

/**
 * Takes the type from a request without content. Clients send one all the same. Fastify would wait for
 * content of that type, and the stream of such a request never tells that it has ended
 * (`optimizeEmptyRequests`).
 */
const forgetTypeOfNothing = ({ headers }: IncomingMessage): void => {
  const isFramed =
    headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  if (!isFramed) delete headers['content-type']
}

const refusalOf = (raw: IncomingMessage, isOurs: HostCheck): Problem | undefined => {
  if (isTooLong(raw.url)) return new Problem('uri-too-long', 'The path and query are too long.')
  if (isMisdirected(raw, isOurs)) {
    return new Problem('misdirected-request', 'The gateway does not serve this host.')
  }
  // The router would serve `*` like `/`, but `*` names no resource (RFC 9110, 7.1).
  if (raw.url === '*') return new Problem('not-found', 'There is no such route.')
  if (isHttp1(raw)) return undefined
  return new Problem('invalid-request', 'This is not an HTTP/1.1 request with a Host header.')
}

const isTooLong = (target = ''): boolean => {
  const { length } = pathAndQueryOf(target)
  if (length <= MAX_URL_BYTES) return false
  return length > MAX_LONG_URL_BYTES || !LONG_URLS.test(pathOf(target))
}

/**
 * HTTP/1.0 needs no `Host`, HTTP/1.1 does. Node's parser accepts further versions, which the
 * gateway does not speak.
 */
const isHttp1 = ({ httpVersion, headers }: IncomingMessage): boolean =>
  httpVersion === '1.0' || (httpVersion === '1.1' && headers.host !== undefined)

/**
 * Whether a request is meant for another host. With a second `Host`, or with a URL that names
 * another host than `Host` does, a proxy and the gateway could disagree about the host that is
 * meant.
 */
const isMisdirected = (
  { url = '/', headers, rawHeaders }: IncomingMessage,
  isOurs: HostCheck,
): boolean => {
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1) return true
  let { host } = headers
  if (url[0] !== '/' && url !== '*') {
    if (!URL.canParse(url)) return true
    const target = new URL(url)
    if (host !== undefined && !isSameHost(host, target.host, target.protocol)) return true
    host = target.host
  }
  return host !== undefined && !isOurs(host)
}

/** Whether the gateway serves a host. */
type HostCheck = (host: string) => boolean

/**
 * A gateway on loopback must not accept every name: an attacker can make the name of a web page resolve
 * to loopback, and the page could then read from the gateway (DNS rebinding).
 */
const createHostCheck = ({ loopback, publicUrl }: GuardOptions): HostCheck => {
  if (!loopback) return () => true
  /** Most requests name the same host as the one before. */
  let latest: string | undefined
  return (host) => {
    if (host === latest) return true
    const isOurs = LOOPBACK_HOST.test(host) || isPublic(host, publicUrl)
    if (isOurs) latest = host
    return isOurs
  }
}

const isPublic = (host: string, publicUrl: URL | undefined): boolean =>
  publicUrl !== undefined && isSameHost(host, publicUrl.host, publicUrl.protocol)
