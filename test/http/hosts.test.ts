import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createServer } from '../../src/http/server.ts'
import { manyEventsPath, sharedGateway, startGateway } from '../helpers/gateway.ts'
import { expectProblem } from '../helpers/problem.ts'
import { ask, rawRequest } from '../helpers/wire.ts'

/** By which names the gateway may be called. */

const HOST = 'Host: 127.0.0.1'
const live = (host: string) => rawRequest('/health/live', { headers: [`Host: ${host}`] })

describe('the host of a request:', () => {
  const gateway = sharedGateway()

  it.each([
    ['two Hosts', '/health/live', [HOST, 'Host: evil.example']],
    ['the same Host twice', '/health/live', [HOST, HOST]],
    ['a foreign name', '/health/live', ['Host: evil.example']],
    ['a name that only begins like loopback', '/health/live', ['Host: localhost.evil.example']],
    ['an address that only begins like loopback', '/health/live', ['Host: 127.0.0.1.evil.example']],
    ['a name that only ends like loopback', '/health/live', ['Host: evillocalhost']],
    ['a user in the Host', '/health/live', ['Host: 127.0.0.1@evil.example']],
    ['a path in the Host', '/health/live', ['Host: 127.0.0.1/evil']],
    ['a list of Hosts', '/health/live', ['Host: 127.0.0.1, evil.example']],
    ['the address of all interfaces', '/health/live', ['Host: 0.0.0.0']],
    ['an empty Host', '/health/live', ['Host: ']],
    ['a foreign host in the URL', 'http://evil.example/health/live', [HOST]],
    ['a foreign port in the URL', 'http://127.0.0.1:1/health/live', [HOST]],
    ['a foreign host everywhere', 'http://evil.example/', ['Host: evil.example']],
    ['a host only in the URL', 'http://evil.example/health/live', ['Host: ']],
    ['a foreign host in a URL of HTTP/1.0', 'http://evil.example/health/live', []],
    ['the default port of another scheme', 'https://127.0.0.1/health/live', ['Host: 127.0.0.1:80']],
  ])('%s is misdirected', async (_, target, headers) => {
    const { url, logs } = gateway()
    const answer = await ask(url, rawRequest(target, { headers }))
    expectProblem(answer, 'misdirected-request')
    expect(answer.body).not.toContain('evil')
    expect(logs()).not.toContain('evil')
  })

  it.each([
    '127.0.0.1',
    '127.0.0.1:8080',
    'localhost',
    'LocalHost:3000',
    'app.localhost',
    '[::1]:8080',
    '127.0.0.1:',
  ])('loopback may be called %s', async (host) => {
    const answer = await ask(
      gateway().url,
      rawRequest('/health/live', { headers: [`Host: ${host}`] }),
    )
    expect(answer.status).toBe(200)
  })

  it('a gateway beyond loopback may have any name, but only one in a request', async () => {
    const logger = pino({ level: 'silent' })
    const server = createServer({ logger, loopback: false, draining: () => false })
    onTestFinished(() => server.close())
    server.get('/here', (_, reply) => reply.send('ok'))
    await server.listen({ host: '127.0.0.1', port: 0 })
    // A server that listens on TCP has such an address.
    const { port } = server.server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const named = (...names: string[]) => ({ headers: names.map((name) => `Host: ${name}`) })
    expect((await ask(url, rawRequest('/here', named('gateway.example')))).status).toBe(200)
    for (const request of [
      rawRequest('/here', named('gateway.example', 'gateway.example')),
      rawRequest('http://other.example/here', named('gateway.example')),
    ]) {
      expectProblem(await ask(url, request), 'misdirected-request')
    }
  })
})

// Regression: a proxy that passes `$host:$server_port` on was refused, because the texts differ.
describe.each([
  ['https://gw.example.com', 443, 80],
  ['https://GW.Example.com:443/lemlist', 443, 80],
  ['http://gw.example.com', 80, 443],
])('with PUBLIC_URL=%s a gateway on loopback', (PUBLIC_URL, port, otherPort) => {
  const gateway = sharedGateway({ env: { PUBLIC_URL } })

  it.each(['gw.example.com', 'GW.example.COM', `gw.example.com:${port}`, 'gw.example.com:'])(
    'may be called %s',
    async (host) => {
      expect((await ask(gateway().url, live(host))).status).toBe(200)
    },
  )

  it.each([
    `gw.example.com:${otherPort}`,
    `gw.example.com:${port}0`,
    'example.com',
    'a.gw.example.com',
    'gw.example.com.evil.example',
    'gw.example.com/lemlist',
    'user@gw.example.com',
  ])('may not be called %s', async (host) => {
    expectProblem(await ask(gateway().url, live(host)), 'misdirected-request')
  })
})

it('the port of PUBLIC_URL counts when it is not the default one', async () => {
  const { url } = await startGateway({ env: { PUBLIC_URL: 'https://gw.example.com:8443' } })
  expect((await ask(url, live('Gw.example.com:8443'))).status).toBe(200)
  expectProblem(await ask(url, live('gw.example.com')), 'misdirected-request')
})

describe('a URL that names its host', () => {
  const gateway = sharedGateway()

  // Regression: the host of the URL and `Host` were compared as texts.
  it.each([
    ['http://127.0.0.1:80/health/live', '127.0.0.1'],
    ['http://127.0.0.1/health/live', '127.0.0.1:80'],
    ['http://LOCALHOST:8080/health/live', 'localhost:8080'],
    ['http://localhost:8080/health/live', 'LocalHost:8080'],
    ['HTTP://localhost/health/live', 'localhost'],
    ['https://localhost:443/health/live', 'localhost'],
    ['https://localhost/health/live', 'localhost:443'],
    ['http://[::1]:80/health/live', '[::1]'],
  ])('%s is served with the Host %s', async (target, host) => {
    const answer = await ask(gateway().url, rawRequest(target, { headers: [`Host: ${host}`] }))
    expect([answer.status, answer.body]).toEqual([200, '{"status":"ok"}'])
  })

  it('needs no Host in HTTP/1.0', async () => {
    const bytes = 'GET http://localhost/health/live HTTP/1.0\r\n\r\n'
    expect((await ask(gateway().url, bytes)).status).toBe(200)
  })

  it('needs a Host in HTTP/1.1', async () => {
    const bytes = rawRequest('http://localhost/health/live', { headers: [] })
    expectProblem(await ask(gateway().url, bytes), 'invalid-request')
  })

  // Regression: only a URL that begins with its path had the longer limit of the events.
  it('may be as long as the path and the query alone may be', async () => {
    const path = manyEventsPath([{ campaignId: 'cam_A', exportId: 'no id' }])
    const target = `http://127.0.0.1${path.padEnd(8_192, 'x')}`.replace('no id', 'no-id')
    expectProblem(await ask(gateway().url, rawRequest(target)), 'invalid-request')
    expectProblem(await ask(gateway().url, rawRequest(`${target}x`)), 'uri-too-long')
  })
})
