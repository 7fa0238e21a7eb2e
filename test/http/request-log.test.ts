import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import {
  eventsPath,
  logLines,
  startGateway,
  statusPath,
  type TestGateway,
} from '../helpers/gateway.ts'
import { ask, exchange, rawRequest } from '../helpers/wire.ts'

const EXPORT = { campaignId: 'cam_A1B2C3', exportId: 'axp_D4E5F6' }
const ROUTE = '/campaigns/:campaignId/export/:exportId/status'
const HOST = 'Host: 127.0.0.1'

/** Waits for so many lines of requests. A line is written just after its answer. */
const requestLines = async ({ logs }: TestGateway, count: number) => {
  const lines = () => logLines(logs()).filter(({ requestId }) => requestId !== undefined)
  await expect.poll(lines, { interval: 5 }).toHaveLength(count)
  return lines()
}

describe('the log', () => {
  it('has one line for each request: the route, the caller, what the cache did, how long it took', async () => {
    const gateway = await startGateway({
      lemlist: { exports: [{ ...EXPORT, durationMs: 1_000, startedBeforeMs: 60_000 }] },
    })
    const request = rawRequest(statusPath(EXPORT), { headers: [HOST, 'X-Request-Id: one.of-mine'] })
    await ask(gateway.url, request)
    await ask(gateway.url, request)
    const [first, second] = await requestLines(gateway, 2)
    expect(first).toEqual({
      level: 30,
      time: expect.anything(),
      msg: 'request',
      requestId: 'one.of-mine',
      method: 'GET',
      route: ROUTE,
      status: 200,
      durationMs: expect.any(Number),
      caller: 'anonymous',
      account: 'default',
      cache: 'fwd=miss; stored',
    })
    expect(first?.durationMs).toBeGreaterThan(0)
    expect(second).toMatchObject({ cache: expect.stringMatching(/^hit; ttl=\d+$/) })
  })

  it.each([
    ['a refused id', rawRequest('/campaigns/tea_1/export/axp_1/status'), ROUTE, 'invalid-id'],
    ['an unknown route', rawRequest('/nowhere'), 'unknown', 'not-found'],
    ['a wrong method', rawRequest('/docs', { method: 'PUT' }), 'unknown', 'method-not-allowed'],
    [
      'a foreign host',
      rawRequest('/docs', { headers: ['Host: a.b'] }),
      '/docs',
      'misdirected-request',
    ],
    // Regression: these two left no line, because no hook of Fastify sees such a request.
    ['a malformed URL', rawRequest('/%zz'), 'unknown', 'invalid-request'],
    ['a malformed id', rawRequest('/campaigns/%zz/export/axp_1/status'), 'unknown', 'invalid-id'],
    ['bytes that are no HTTP', 'NONSENSE\r\n\r\n', 'unknown', 'invalid-request'],
  ])('reports %s by the code of its problem', async (_, bytes, route, problem) => {
    const gateway = await startGateway()
    const { status } = await ask(gateway.url, bytes)
    const [line] = await requestLines(gateway, 1)
    expect(line).toMatchObject({ route, status, problem, level: 30 })
  })

  it('warns of a 5xx, and names the problem', async () => {
    const gateway = await startGateway({ lemlist: { apiKeys: ['another-key'] } })
    expect((await ask(gateway.url, rawRequest(statusPath(EXPORT)))).status).toBe(502)
    const [line] = await requestLines(gateway, 1)
    expect(line).toMatchObject({ level: 40, status: 502, problem: 'upstream-credentials' })
  })

  it('reports probes only at the level debug', async () => {
    const gateway = await startGateway()
    await ask(gateway.url, rawRequest('/health/live'))
    const [line] = await requestLines(gateway, 1)
    expect(line).toMatchObject({ level: 20, route: '/health/live' })
  })

  // Regression: such a request left no line, because Fastify calls its onResponse hook only after
  // an answer that was sent completely.
  it('has a line for a caller who went away', async () => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...EXPORT, outcome: 'never' }] } })
    gateway.lemlist.script({ operation: 'status' }, { delayMs: 200 })
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(rawRequest(statusPath(EXPORT)))
    await gateway.lemlist.waitForCalls(1)
    socket.destroy()
    const [line] = await requestLines(gateway, 1)
    expect(line).toMatchObject({ route: ROUTE, aborted: true })
    expect(line).not.toHaveProperty('status')
  })

  it('has two lines for a stream: that of its request, and that of its end', async () => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...EXPORT, outcome: 'never' }] } })
    const hangUp = new AbortController()
    await fetch(gateway.url + eventsPath(EXPORT), {
      headers: { 'x-request-id': 'one.of-mine' },
      signal: hangUp.signal,
    })
    hangUp.abort()
    const lines = await requestLines(gateway, 2)
    const common = {
      ...{ level: 30, time: expect.anything(), requestId: 'one.of-mine' },
      route: '/campaigns/:campaignId/export/:exportId/events',
      ...{ durationMs: expect.any(Number), caller: 'anonymous', account: 'default' },
    }
    const request = { msg: 'request', method: 'GET', status: 200, aborted: true }
    expect(lines.find(({ msg }) => msg === 'request')).toEqual({ ...common, ...request })
    const stream = { msg: 'stream', ending: 'left' }
    expect(lines.find(({ msg }) => msg === 'stream')).toEqual({ ...common, ...stream })
  })

  it('has each of them once for a caller who leaves before the first status has come', async () => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...EXPORT, outcome: 'never' }] } })
    const { promise: gate, resolve: answer } = Promise.withResolvers<void>()
    gateway.lemlist.script({ operation: 'status' }, { gate })
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write(rawRequest(eventsPath(EXPORT)))
    await gateway.lemlist.waitForCalls(1)
    socket.destroy()
    await requestLines(gateway, 2)
    answer()
    await ask(gateway.url, rawRequest('/openapi.json'))
    const lines = await requestLines(gateway, 3)
    expect(lines.map(({ msg, ending, status }) => ending ?? status ?? msg)).toEqual([
      ...['request', 'left', 200],
    ])
  })
})

describe('the log never contains', () => {
  const CANARY = 'CanaryOfTheCaller'

  it.each([
    ['the query', rawRequest(`${statusPath(EXPORT)}?token=${CANARY}`)],
    ['the path of an unknown route', rawRequest(`/${CANARY}`)],
    ['a refused id', rawRequest(`/campaigns/${CANARY}/export/axp_1/status`)],
    ['a malformed URL', rawRequest(`/${CANARY}%zz?a=${CANARY}`)],
    [
      'the Authorization',
      rawRequest('/docs', { headers: [HOST, `Authorization: Basic ${CANARY}`] }),
    ],
    ['a cookie', rawRequest('/docs', { headers: [HOST, `Cookie: a=${CANARY}`] })],
    ['an API key', rawRequest('/docs', { headers: [HOST, `X-Api-Key: ${CANARY}`] })],
    ['the name of a host', rawRequest('/docs', { headers: [`Host: ${CANARY}`] })],
    [
      'an unsound request id',
      rawRequest('/docs', { headers: [HOST, `X-Request-Id: <${CANARY}>`] }),
    ],
    ['a broken header', rawRequest('/docs', { headers: [HOST, `${CANARY} b: c`] })],
    ['bytes that are no HTTP', `${CANARY}\r\n\r\n`],
    [
      'a body',
      `${rawRequest('/docs', { method: 'POST', headers: [HOST, 'Content-Type: application/json', 'Content-Length: 18'] })}{${CANARY}`,
    ],
  ])('%s', async (_, bytes) => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...EXPORT, outcome: 'never' }] } })
    await exchange(gateway.url, bytes)
    await requestLines(gateway, 1)
    expect(gateway.logs()).not.toContain(CANARY)
  })
})

describe('X-Request-Id', () => {
  it.each(['a', '0', 'req-1.2_3~4:5+6', 'A'.repeat(64), '7b1c9e7d-6a0c-4f0e-8a59-d2a6c9f0b7c4'])(
    'is kept when it is a sane token: %s',
    async (id) => {
      const gateway = await startGateway()
      const headers = [HOST, `X-Request-Id: ${id}`]
      const answer = await ask(gateway.url, rawRequest('/health/ready', { headers }))
      expect(answer.headers.get('x-request-id')).toBe(id)
      const [line] = await requestLines(gateway, 1)
      expect(line).toMatchObject({ requestId: id })
    },
  )

  it.each([
    ['none', []],
    ['an empty one', ['']],
    ['one of 65 characters', ['A'.repeat(65)]],
    ['one with a space', ['a b']],
    ['one with a quote', ['a"b']],
    ['one with markup', ['<b>']],
    ['one with an escape', ['\u001b[31m']],
    ['one beyond ASCII', ['\u00e9']],
    ['a list', ['a, b']],
    ['two', ['a', 'b']],
  ])('is a new one when the request brings %s', async (_, ids) => {
    const { url } = await startGateway()
    const headers = [HOST, ...ids.map((id) => `X-Request-Id: ${id}`)]
    // Node's parser refuses some of these values. The answer to that has an id as well.
    const answer = await ask(url, Buffer.from(rawRequest('/nowhere', { headers }), 'latin1'))
    const id = answer.headers.get('x-request-id')
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(JSON.parse(answer.body).instance).toBe(id)
  })

  it('is different for every request that brings none', async () => {
    const { url } = await startGateway()
    const ids = new Set<string | null>()
    for (let n = 0; n < 20; n += 1) {
      ids.add((await ask(url, rawRequest('/nowhere'))).headers.get('x-request-id'))
    }
    expect(ids.size).toBe(20)
  })
})
