import { createServer } from 'node:https'
import type { TlsOptions } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import {
  hasOpenssl,
  makeCertificate,
  makeSignedCertificate,
  trust,
} from '../../helpers/certificate.ts'
import { startConnectProxy } from '../../helpers/connect-proxy.ts'
import { expectProblem } from '../../helpers/faults.ts'
import { KEY } from '../../helpers/gateway.ts'
import { listenRaw } from '../../helpers/raw-upstream.ts'
import { CAMPAIGN, isStart, start, startGatewayWithCampaign } from '../../helpers/starts.ts'
import { listenUntilTheEnd, tlsFront } from '../../helpers/tls-front.ts'

/** Starts that fail before any part of the request has left. Nothing was begun, so the key is free. */

type Env = Readonly<Record<string, string>>

const byTls = (url: string): Env => ({ LEMLIST_BASE_URL: url.replace('http:', 'https:') })

/** A port where nobody listens. */
const closedPort = async (): Promise<string> => {
  const lemlist = createLemlist()
  const url = await lemlist.listen()
  await lemlist.close()
  return url
}

/** An upstream by TLS with these options. It must never get a request. */
const tlsUpstream = async (options: TlsOptions): Promise<Env> => {
  const server = createServer(options, () => expect.unreachable('a request has left'))
  return byTls(`https://127.0.0.1:${await listenUntilTheEnd(server)}/api`)
}

const behindProxy = async (answer: string): Promise<Env> => ({
  ...byTls('https://lemlist.invalid/api'),
  HTTPS_PROXY: (await startConnectProxy({ answer })).url,
})

const WITHOUT_OPENSSL: [string, () => Promise<Env>][] = [
  ['a name without an address', async () => byTls('https://lemlist.invalid/api')],
  ['a closed port', async () => ({ LEMLIST_BASE_URL: await closedPort() })],
  ['a cut handshake', async () => byTls((await listenRaw((socket) => socket.destroy())).url)],
  ['a reset handshake', async () => byTls((await listenRaw((s) => s.resetAndDestroy())).url)],
  ['a handshake without an answer', async () => byTls((await listenRaw(() => {})).url)],
  [
    'plain HTTP in place of TLS',
    async () => byTls((await listenRaw((socket) => socket.end('HTTP/1.1 400 No\r\n\r\n'))).url),
  ],
  [
    'a proxy with a closed port',
    async () => ({
      ...byTls('https://lemlist.invalid/api'),
      HTTPS_PROXY: new URL(await closedPort()).origin,
    }),
  ],
  [
    'a proxy without an address',
    async () => ({ ...byTls('https://lemlist.invalid/api'), HTTPS_PROXY: 'proxy.invalid:3128' }),
  ],
  ['a proxy that wants other credentials', () => behindProxy('HTTP/1.1 407 No\r\n\r\n')],
  ['a proxy that forbids it', () => behindProxy('HTTP/1.1 403 Forbidden\r\n\r\n')],
  ['a proxy that cannot reach lemlist', () => behindProxy('HTTP/1.1 502 Bad Gateway\r\n\r\n')],
  ['a proxy that redirects', () => behindProxy('HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n')],
  ['a proxy that speaks no HTTP', () => behindProxy('hello\r\n\r\n')],
  ['a proxy that never answers', () => behindProxy('')],
  [
    'a proxy that hangs up',
    async () => ({
      ...byTls('https://lemlist.invalid/api'),
      HTTPS_PROXY: new URL((await listenRaw((socket) => socket.destroy())).url).origin,
    }),
  ],
]

const WITH_OPENSSL: [string, () => Promise<Env>][] = [
  ['an unknown authority', () => tlsUpstream(makeSignedCertificate('IP:127.0.0.1'))],
  ['a certificate that signed itself', () => tlsUpstream(makeCertificate('IP:127.0.0.1'))],
  [
    'a certificate for another name',
    () => {
      const certificate = makeCertificate('DNS:evil.example')
      trust(certificate.cert)
      return tlsUpstream(certificate)
    },
  ],
  [
    'a server that only speaks TLS 1.1',
    () => {
      const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL@SECLEVEL=0' } as const
      return tlsUpstream({ ...makeCertificate('IP:127.0.0.1'), ...old })
    },
  ],
  [
    'a server that wants a certificate of the gateway',
    () =>
      tlsUpstream({
        ...makeCertificate('IP:127.0.0.1'),
        requestCert: true,
        rejectUnauthorized: true,
        maxVersion: 'TLSv1.2',
      }),
  ],
]

const CASES = [...WITHOUT_OPENSSL, ...(hasOpenssl() ? WITH_OPENSSL : [])]

describe('after a start that failed because of', () => {
  // Regression: an unknown authority burnt the key for 24 h with 409 `start-outcome-unknown`.
  it.each(CASES)('%s, the key is free, and a repeat is told the same', async (_, setUp) => {
    const env = await setUp()
    const gateway = await startGatewayWithCampaign({ LEMLIST_TIMEOUT_MS: '500', ...env })
    const key = 'k-1'
    const answers = [await start(gateway, { key }), await start(gateway, { key })]
    for (const answer of answers) {
      const { code } = JSON.parse(answer.text)
      expect(['upstream-unavailable', 'upstream-timeout']).toContain(code)
      expectProblem(answer, code)
    }
    // Nothing was begun, so also without a key a repeat is safe.
    const { code, detail } = JSON.parse((await start(gateway)).text)
    expect(['upstream-unavailable', 'upstream-timeout']).toContain(code)
    expect(detail).not.toMatch(/may have begun/)
  })
})

describe.skipIf(!hasOpenssl())('a key whose start met an unknown authority', () => {
  it('starts one export once the authority is known', async () => {
    const lemlist = createLemlist({ apiKeys: [KEY] })
    lemlist.addCampaign(CAMPAIGN)
    onTestFinished(() => lemlist.close())
    const certificate = makeSignedCertificate('IP:127.0.0.1')
    const gateway = await startGatewayWithCampaign({
      LEMLIST_BASE_URL: await tlsFront(certificate, await lemlist.listen()),
    })
    expectProblem(await start(gateway, { key: 'k-1' }), 'upstream-unavailable')
    trust(certificate.authority)
    const first = await start(gateway, { key: 'k-1' })
    expect(first.status).toBe(201)
    expect((await start(gateway, { key: 'k-1' })).text).toBe(first.text)
    expect(lemlist.calls.filter(isStart)).toHaveLength(1)
  })
})
