import { once } from 'node:events'
import { createServer, type Server, type ServerOptions } from 'node:https'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hasOpenssl, makeCertificate, trust } from '../../helpers/certificate.ts'
import { BOUNDLESS, expectProblem, read } from '../../helpers/faults.ts'
import { startGateway } from '../../helpers/gateway.ts'
import { listenRaw } from '../../helpers/raw-upstream.ts'
import { pendingBody } from '../../helpers/status-bodies.ts'

interface TlsUpstream {
  /** The request heads that arrived through TLS. Without a valid certificate there must be none. */
  readonly heads: string[]
  readonly gateway: { readonly url: string }
  /** Resolves when a handshake has failed. */
  readonly refused: Promise<unknown>
}

const portOf = (server: Server): number => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Starts an upstream with these options, and a gateway that calls it by TLS. */
const startWith = async (options: ServerOptions): Promise<TlsUpstream> => {
  const heads: string[] = []
  const server = createServer(options, (req, res) => {
    heads.push(req.rawHeaders.join('\n'))
    res.setHeader('Content-Type', 'application/json').end(pendingBody())
  })
  const refused = once(server, 'tlsClientError')
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const gateway = await startGateway({
    env: { ...BOUNDLESS, LEMLIST_BASE_URL: `https://127.0.0.1:${portOf(server)}/api` },
  })
  return { heads, gateway, refused }
}

describe.skipIf(!hasOpenssl())('a lemlist over TLS', () => {
  it('with a certificate that can be verified is used', async () => {
    const certificate = makeCertificate('IP:127.0.0.1')
    trust(certificate.cert)
    const { gateway, heads } = await startWith(certificate)
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(heads.join()).toMatch(/authorization\nBasic /i)
  })

  it('that signed its own certificate is unavailable, and is never sent the key', async () => {
    const { gateway, heads } = await startWith(makeCertificate('IP:127.0.0.1'))
    const answer = await read(gateway)
    expectProblem(answer, 'upstream-unavailable')
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(heads).toEqual([])
  })

  it('with a certificate for another name is unavailable, and is never sent the key', async () => {
    const certificate = makeCertificate('DNS:evil.example,IP:127.0.0.2')
    trust(certificate.cert)
    const { gateway, heads } = await startWith(certificate)
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect(heads).toEqual([])
  })

  it('that speaks only TLS 1.1 is unavailable, and is never sent the key', async () => {
    const certificate = makeCertificate('IP:127.0.0.1')
    trust(certificate.cert)
    const { gateway, heads, refused } = await startWith({
      ...certificate,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    })
    expectProblem(await read(gateway), 'upstream-unavailable')
    await refused
    expect(heads).toEqual([])
  })
})

describe('a handshake', () => {
  it('that lemlist cuts is told as unavailable', async () => {
    const upstream = await listenRaw((socket) => socket.destroy())
    const LEMLIST_BASE_URL = upstream.url.replace('http:', 'https:')
    const gateway = await startGateway({ env: { ...BOUNDLESS, LEMLIST_BASE_URL } })
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect(upstream.connections()).toBe(1)
  })

  // Regression: the gateway noticed the deadline only when the 3 s for a connection were over.
  it('that lemlist never answers is told as a time-out, in time', async () => {
    const upstream = await listenRaw(() => {})
    const LEMLIST_BASE_URL = upstream.url.replace('http:', 'https:')
    const gateway = await startGateway({
      env: { ...BOUNDLESS, LEMLIST_BASE_URL, LEMLIST_TIMEOUT_MS: '300' },
    })
    const before = performance.now()
    expectProblem(await read(gateway), 'upstream-timeout')
    expect(performance.now() - before).toBeLessThan(2_000)
  })

  it('that is answered in plain HTTP is told as unavailable, and the key is not sent', async () => {
    const received: Buffer[] = []
    const upstream = await listenRaw((socket) => {
      socket.on('data', (bytes) => {
        received.push(bytes)
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      })
    })
    const LEMLIST_BASE_URL = upstream.url.replace('http:', 'https:')
    const gateway = await startGateway({ env: { ...BOUNDLESS, LEMLIST_BASE_URL } })
    expectProblem(await read(gateway), 'upstream-unavailable')
    const bytes = Buffer.concat(received)
    expect(bytes.length).toBeGreaterThan(0)
    expect(bytes.toString('latin1')).not.toMatch(/authorization|Basic/i)
  })
})
