import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist, type Lemlist } from '../../../src/sandbox/lemlist.ts'
import { hasOpenssl, makeSignedCertificate, trust } from '../../helpers/certificate.ts'
import { startConnectProxy } from '../../helpers/connect-proxy.ts'
import { BOUNDLESS, expectProblem, read } from '../../helpers/faults.ts'
import { KEY, startGateway, statusPath } from '../../helpers/gateway.ts'
import { UNLIMITED } from '../../helpers/pace.ts'
import { listenRaw } from '../../helpers/raw-upstream.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { tlsFront } from '../../helpers/tls-front.ts'

/** lemlist behind TLS, and a proxy of a company in front of it. */

type Env = Readonly<Record<string, string>>

interface Behind {
  readonly url: string
  readonly lemlist: Lemlist
}

/** Starts an emulated lemlist that is reached by TLS, and a gateway that knows this proxy. */
const startBehind = async (
  proxyUrl: string,
  env: Env = {},
  trusted: readonly Buffer[] = [],
): Promise<Behind> => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  onTestFinished(() => lemlist.close())
  const certificate = makeSignedCertificate('IP:127.0.0.1')
  trust(certificate.authority, ...trusted)
  const LEMLIST_BASE_URL = await tlsFront(certificate, await lemlist.listen())
  const HTTPS_PROXY = proxyUrl
  const { url } = await startGateway({
    env: { ...BOUNDLESS, LEMLIST_BASE_URL, HTTPS_PROXY, ...env },
  })
  return { url, lemlist }
}

describe.skipIf(!hasOpenssl())('a proxy that opens tunnels', () => {
  // Regression: the gateway ignored HTTPS_PROXY, and could not work in a company network.
  it('carries the calls, and sees neither the key nor an answer', async () => {
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url)
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(gateway.lemlist.calls).toMatchObject([
      { authorization: `Basic ${Buffer.from(`:${KEY}`).toString('base64')}` },
    ])
    expect(proxy.asked).toHaveLength(1)
    expect(proxy.plain()).toBe(0)
    const sent = proxy.sent().toString('latin1')
    expect(sent.length).toBeGreaterThan(100)
    expect(sent).not.toMatch(/authorization|GET|export/i)
  })

  it('is asked for host and port, with the credentials of its URL, decoded', async () => {
    const proxy = await startConnectProxy({ credentials: 'ada:p@ss:word' })
    const gateway = await startBehind(proxy.url.replace('//', '//ada:p%40ss%3Aword@'))
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).status).toBe(200)
    const [{ authority, headers } = { authority: '', headers: {} }] = proxy.asked
    expect(authority).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(headers.host).toBe(authority)
    expect(headers.authorization).toBeUndefined()
  })

  it('is asked once for calls that follow each other', async () => {
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url)
    gateway.lemlist.script({}, { body: pendingBody() })
    for (let round = 0; round < 5; round += 1) expect((await read(gateway)).status).toBe(200)
    expect(proxy.asked).toHaveLength(1)
  })

  it('is asked for at most 32 tunnels at once for the calls', async () => {
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url)
    const gate = Promise.withResolvers<void>()
    gateway.lemlist.script({}, { gate: gate.promise })
    const reads = Array.from({ length: 50 }, (_, index) =>
      fetch(gateway.url + statusPath({ campaignId: 'cam_Many', exportId: `axp_${index}` })),
    )
    await gateway.lemlist.waitForCalls(32)
    expect(proxy.asked).toHaveLength(32)
    gate.resolve()
    await Promise.all(reads)
    expect(gateway.lemlist.calls).toHaveLength(50)
    expect(proxy.asked).toHaveLength(32)
  })

  it('leaves the deadline of a call as it is', async () => {
    const gateway = await startBehind((await startConnectProxy()).url, {
      LEMLIST_TIMEOUT_MS: '500',
    })
    gateway.lemlist.script({}, { hang: true })
    const before = performance.now()
    expectProblem(await read(gateway), 'upstream-timeout')
    expect(performance.now() - before).toBeLessThan(2_000)
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('that cuts its tunnels makes lemlist unavailable, and the next call opens a new one', async () => {
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url)
    gateway.lemlist.script({ times: 1 }, { hang: true })
    gateway.lemlist.script({}, { body: pendingBody() })
    const first = read(gateway)
    await gateway.lemlist.waitForCalls(1)
    proxy.cut()
    expectProblem(await first, 'upstream-unavailable')
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(proxy.asked).toHaveLength(2)
  })

  it('also carries a file', async () => {
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url)
    gateway.lemlist.script({ operation: 'status' }, { body: doneBody() })
    const csv = { headers: { 'Content-Type': 'text/csv' }, body: 'email\nada@example.com\n' }
    gateway.lemlist.script({ operation: 'file' }, csv)
    const answer = await fetch(gateway.url + statusPath(REF).replace(/status$/, 'file'))
    expect([answer.status, await answer.text()]).toEqual([200, csv.body])
    // One tunnel for the status and one for the file, which has a pool of its own.
    expect(proxy.asked).toHaveLength(2)
  })

  it('cannot pretend to be lemlist', async () => {
    const imposter = await tlsFront(makeSignedCertificate('IP:127.0.0.1'), 'http://127.0.0.1:1')
    const proxy = await startConnectProxy()
    const gateway = await startBehind(proxy.url, { LEMLIST_BASE_URL: imposter })
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect(proxy.asked).toHaveLength(1)
  })
})

describe.skipIf(!hasOpenssl())('a proxy that is reached by TLS itself', () => {
  it('carries the calls when its certificate can be verified', async () => {
    const company = makeSignedCertificate('IP:127.0.0.1')
    const proxy = await startConnectProxy({ tls: company })
    const gateway = await startBehind(proxy.url, {}, [company.authority])
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(proxy.asked).toHaveLength(1)
  })

  it('is not used when its certificate cannot be verified', async () => {
    const proxy = await startConnectProxy({ tls: makeSignedCertificate('IP:127.0.0.1') })
    const gateway = await startGateway({
      env: {
        ...BOUNDLESS,
        LEMLIST_BASE_URL: 'https://127.0.0.1:1/api',
        HTTPS_PROXY: proxy.url,
      },
    })
    expectProblem(await read(gateway), 'upstream-unavailable')
    expect(proxy.asked).toEqual([])
  })
})

describe('a proxy that opens no tunnel', () => {
  const ANSWERS = {
    'wants other credentials': 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
    forbids: 'HTTP/1.1 403 Forbidden\r\n\r\n',
    'cannot reach lemlist': 'HTTP/1.1 504 Gateway Timeout\r\n\r\n',
    'is no proxy': 'HTTP/1.1 301 Moved\r\nLocation: https://example.com/\r\n\r\n',
    'speaks no HTTP': 'SSH-2.0-x\r\n',
    'sends too long a header': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
  }
  const startTowards = (host: string, env: Env = {}) =>
    startGateway({
      env: {
        ...BOUNDLESS,
        LEMLIST_BASE_URL: 'https://lemlist.invalid/api',
        HTTPS_PROXY: `http://ada:hushhush@${host}`,
        ...env,
      },
    })

  it.each(Object.entries(ANSWERS))(
    'because it %s makes lemlist unavailable, and the log says so without credentials',
    async (_, answer) => {
      const proxy = await startConnectProxy({ answer })
      const gateway = await startTowards(new URL(proxy.url).host)
      const told = await read(gateway)
      expectProblem(told, 'upstream-unavailable')
      expect(told.headers.get('retry-after')).toBe('5')
      expect(proxy.asked.map(({ authority }) => authority)).toEqual(['lemlist.invalid:443'])
      await expect.poll(gateway.logs).toContain('"cause"')
      const status = /^HTTP\/1.1 ([345]\d\d)/.exec(answer)?.[1]
      if (status !== undefined) expect(gateway.logs()).toContain(`CONNECT with status ${status}`)
      const everything = gateway.logs() + told.text + JSON.stringify([...told.headers])
      expect(everything).not.toMatch(/hushhush|YWRhOmh1c2hodXNo/)
      expect(told.text).not.toContain(new URL(proxy.url).host)
    },
  )

  it.each([
    ['never answers', () => {}],
    [
      'opens a tunnel to nothing',
      (socket: { write(text: string): void }) => socket.write('HTTP/1.1 200 OK\r\n\r\n'),
    ],
  ])('because it %s is a time-out, in time', async (_, onConnection) => {
    const upstream = await listenRaw(onConnection)
    const gateway = await startTowards(new URL(upstream.url).host, { LEMLIST_TIMEOUT_MS: '400' })
    const before = performance.now()
    expectProblem(await read(gateway), 'upstream-timeout')
    expect(performance.now() - before).toBeLessThan(2_000)
  })
})

describe('for a base URL with http:', () => {
  it('the calls go through HTTP_PROXY, and not through HTTPS_PROXY', async () => {
    const proxy = await startConnectProxy()
    const other = await startConnectProxy()
    const env = { HTTP_PROXY: proxy.url, HTTPS_PROXY: other.url }
    const gateway = await startGateway({ env: { ...BOUNDLESS, ...env } })
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect([proxy.asked.length, other.asked.length]).toEqual([1, 0])
  })

  it('NO_PROXY leads the calls past the proxy', async () => {
    const proxy = await startConnectProxy()
    const env = { HTTP_PROXY: proxy.url, NO_PROXY: 'localhost,127.0.0.1' }
    const gateway = await startGateway({ env: { ...BOUNDLESS, ...env } })
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await fetch(gateway.url + statusPath(REF))).status).toBe(200)
    expect(proxy.asked).toEqual([])
  })
})
