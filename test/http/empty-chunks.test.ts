import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventsPath, sharedGateway, statusPath } from '../helpers/gateway.ts'
import { FAST } from '../helpers/pace.ts'
import { expectProblem } from '../helpers/problem.ts'
import { doneBody, pendingBody, REF } from '../helpers/status-bodies.ts'
import { startWatching } from '../helpers/watching.ts'
import { ask, exchange, rawRequest, readAnswer } from '../helpers/wire.ts'

/**
 * A proxy that takes HTTP/2 learns only at the end of a request that no content comes. Until then it
 * has promised chunks to the gateway, and sends none.
 */

const CHUNKED = ['Host: 127.0.0.1', 'Transfer-Encoding: chunked']
const NO_CHUNK = '0\r\n\r\n'
const chunked = (
  target: string,
  { method = 'GET', headers = [] as string[], body = NO_CHUNK } = {},
) => rawRequest(target, { method, headers: [...CHUNKED, ...headers], body })

const lemlist = { exports: [{ ...REF, startedBeforeMs: 60_000, durationMs: 1_000 }] }
const FILE = statusPath(REF).replace('status', 'file')
const MANY = `/events?export=${REF.campaignId}/${REF.exportId}`

// Regression: HAProxy's form of an HTTP/2 GET was a 400, which ends an EventSource for good.
describe('a request that announces chunks and sends none', () => {
  const gateway = sharedGateway({ env: FAST, lemlist })

  it.each(['/health/live', '/openapi.json', '/client.js', statusPath(REF), FILE])(
    'is served as any other: %s',
    async (target) => {
      for (const method of ['GET', 'HEAD']) {
        const plain = await ask(gateway().url, rawRequest(target, { method }))
        const answer = await ask(gateway().url, chunked(target, { method }))
        expect([answer.status, answer.body, answer.rest]).toEqual([200, plain.body, ''])
      }
    },
  )

  it.each([eventsPath(REF), MANY])('gets its events: %s', async (target) => {
    const answer = await ask(gateway().url, chunked(target))
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('event: end')])
  })

  it('leaves the connection to the next request', async () => {
    const first = chunked('/health/live').replace('Connection: close\r\n', '')
    const text = await exchange(gateway().url, first + rawRequest('/client.js'))
    const answer = readAnswer(text)
    expect(answer?.status).toBe(200)
    expect(readAnswer(answer?.rest ?? '')).toMatchObject({ status: 200, rest: '' })
  })

  it.each([
    ['extensions', '0;a=b\r\n\r\n'],
    ['trailers', '0\r\nX-A: b\r\n\r\n'],
  ])('may send %s with its last chunk', async (_, body) => {
    expect((await ask(gateway().url, chunked('/health/live', { body }))).status).toBe(200)
  })

  it('is served when its last chunk comes late', async () => {
    const socket = connect(Number(new URL(gateway().url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const arrived = once(gateway().app.server.server, 'request')
    socket.write(chunked('/health/live', { body: '' }))
    await arrived
    socket.write(NO_CHUNK)
    const text = (await socket.setEncoding('latin1').toArray()).join('')
    expect(readAnswer(text)).toMatchObject({ status: 200, rest: '' })
  })

  it('is a 408 when its last chunk never comes', async () => {
    const answer = await ask(gateway().url, chunked('/health/live', { body: '' }))
    expectProblem(answer, 'request-timeout')
  })

  it.each([
    ['one byte', '1\r\na\r\n0\r\n\r\n'],
    ['one byte and no end', '1\r\na\r\n'],
    ['no chunk', 'zz\r\n'],
    ['a broken trailer', '0\r\nX A: b\r\n\r\n'],
  ])('is a 400 when it sends %s', async (_, body) => {
    const answer = await ask(gateway().url, chunked('/health/live', { body }))
    expectProblem(answer, 'invalid-request')
    expect(answer.headers.get('connection')).toBe('close')
    expect(answer.rest).toBe('')
  })
})

it('a wait that announces chunks and sends none is held until the export is over', async () => {
  const { url, say, lemlist } = await startWatching()
  say(pendingBody())
  const held = ask(url, chunked(statusPath(REF), { headers: ['Prefer: wait=60'] }))
  await lemlist.waitForCalls(3)
  const body = doneBody()
  say(body)
  expect(await held).toMatchObject({ status: 200, body })
})
