import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import type { TlsOptions } from 'node:tls'
import { join, listenUntilTheEnd } from './tls-front.ts'

interface Asked {
  readonly authority: string
  readonly headers: IncomingHttpHeaders
}

export interface ConnectProxy {
  readonly url: string
  /** Every CONNECT that came. */
  readonly asked: readonly Asked[]
  /** How many requests came that are no CONNECT. */
  plain(): number
  /** All bytes that the gateway sent through the tunnels. */
  sent(): Buffer
  /** Cuts all tunnels. */
  cut(): void
}

interface Options {
  /** `USER:PASSWORD` that a caller must send. */
  readonly credentials?: string
  /** What the proxy writes in place of opening a tunnel. It then ends, unless this is empty. */
  readonly answer?: string
  /** The proxy itself is spoken to by TLS. */
  readonly tls?: TlsOptions
}

const REFUSED = 'HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n'

/** Starts a proxy like that of a company: it opens tunnels by CONNECT and does nothing else. */
export const startConnectProxy = async (options: Options = {}): Promise<ConnectProxy> => {
  const { credentials, answer, tls } = options
  const asked: Asked[] = []
  const chunks: Buffer[] = []
  const tunnels = new Set<{ destroy(): void }>()
  let plain = 0
  const server = tls === undefined ? createServer() : createTlsServer(tls)
  server.on('request', (_, response) => {
    plain += 1
    response.writeHead(405).end()
  })
  server.on('connect', (request, socket, head) => {
    const authority = request.url ?? ''
    asked.push({ authority, headers: request.headers })
    socket.on('error', () => {})
    const basic = `Basic ${Buffer.from(credentials ?? '').toString('base64')}`
    const known = credentials === undefined || request.headers['proxy-authorization'] === basic
    const refusal = known ? answer : REFUSED
    if (refusal !== undefined) {
      if (refusal !== '') socket.end(refusal)
      return
    }
    const { hostname, port } = new URL(`http://${authority}`)
    const upstream = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.on('data', (chunk: Buffer) => chunks.push(chunk))
      upstream.write(head)
      // `connect` of a server gives the socket as a Duplex. It is a Socket, by TLS a TLSSocket.
      join(socket as typeof upstream, upstream)
    })
    upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n'))
    tunnels.add(socket)
  })
  const port = await listenUntilTheEnd(server)
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    asked,
    plain: () => plain,
    sent: () => Buffer.concat(chunks),
    cut: () => {
      for (const tunnel of tunnels) tunnel.destroy()
    },
  }
}
