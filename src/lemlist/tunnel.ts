import { request as requestByHttp } from 'node:http'
import { request as requestByTls } from 'node:https'
import type { Socket } from 'node:net'
import { buildConnector, errors } from 'undici'

/** The proxy of the operator's network, through which the gateway reaches lemlist. */
export interface ProxyWay {
  /** `http:` or `https:`, without credentials. */
  readonly url: URL
  /** The value of `Proxy-Authorization`. */
  readonly authorization: string | undefined
}

/** Says in the log that it was the proxy that failed. Its text holds nothing that the proxy sent. */
class ProxyRefused extends Error {
  readonly code = 'PROXY_REFUSED'

  constructor(status: number) {
    super(`the proxy answered CONNECT with status ${status}`)
    this.name = 'ProxyRefused'
  }
}

const nothing = (): void => {}

const PORTS = { http: '80', https: '443' }

const portOf = ({ protocol, port }: { readonly protocol: string; readonly port: string }): string =>
  port || (protocol === 'https:' ? PORTS.https : PORTS.http)

/**
 * Creates a connector for undici that opens each connection through a proxy, by CONNECT (RFC 9110,
 * 9.3.6). The proxy passes bytes on. TLS runs between the gateway and lemlist, so lemlist's
 * certificate is verified as without a proxy, and the proxy never sees the key.
 *
 * @param timeoutMs how long all of this may take together, milliseconds: the name and the connection
 * of the proxy, its answer, and the handshake with lemlist
 */
export const createTunnel = (
  { url, authorization }: ProxyWay,
  timeoutMs: number,
): buildConnector.connector => {
  const shakeHands = buildConnector({ allowH2: false, rejectUnauthorized: true, timeout: 0 })

  return (target, callback) => {
    let socket: Socket | undefined
    const authority = `${target.host?.replace(/:\d+$/, '') ?? target.hostname}:${portOf(target)}`
    const asking = (url.protocol === 'https:' ? requestByTls : requestByHttp)({
      host: url.hostname.replace(/^\[(.+)\]$/, '$1'),
      port: portOf(url),
      method: 'CONNECT',
      path: authority,
      headers: {
        host: authority,
        connection: 'keep-alive',
        ...(authorization !== undefined && { 'proxy-authorization': authorization }),
      },
      agent: false,
    })

    let tell: typeof callback | undefined = callback
    const settle = (...result: Parameters<typeof callback>): void => {
      clearTimeout(timer)
      if (tell === undefined) return
      const told = tell
      tell = undefined
      if (result[0] !== null) {
        asking.destroy()
        socket?.destroy()
      }
      told(...result)
    }
    const timer = setTimeout(
      () => settle(new errors.ConnectTimeoutError('the way through the proxy took too long'), null),
      timeoutMs,
    )

    asking.once('connect', ({ statusCode = 0 }, opened: Socket, head) => {
      socket = opened
      // Without a listener, an error of a connection that is over would end the process.
      socket.on('error', nothing)
      if (tell === undefined) socket.destroy()
      else if (statusCode < 200 || statusCode > 299) settle(new ProxyRefused(statusCode), null)
      else {
        if (head.length > 0) socket.unshift(head)
        if (target.protocol === 'https:') shakeHands({ ...target, httpSocket: socket }, settle)
        else settle(null, socket)
      }
    })
    asking.on('error', (error) => settle(error, null))
    asking.end()
  }
}
