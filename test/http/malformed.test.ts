import { once } from 'node:events'
import { connect } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { logLines, sharedGateway, startGateway, type TestGateway } from '../helpers/gateway.ts'
import {
  BROKEN_BODIES,
  chunked,
  HOST,
  LIVE,
  lines,
  NOT_HTTP,
  REFUSED,
} from '../helpers/malformed.ts'
import { expectProblem } from '../helpers/problem.ts'
import { ask, exchange, rawRequest, readAnswer } from '../helpers/wire.ts'

/** Bytes that are not correct HTTP. None may reach lemlist, break the server or get a 5xx. */

const expectUnharmed = async ({ url, lemlist }: TestGateway): Promise<void> => {
  expect(lemlist.calls).toEqual([])
  const answer = await ask(url, rawRequest(LIVE))
  expect(answer).toMatchObject({ status: 200, body: '{"status":"ok"}' })
}

describe('broken HTTP:', () => {
  const gateway = sharedGateway()

  it.each(Object.entries({ ...NOT_HTTP, ...REFUSED }))(
    '%s is a 400, and the connection is closed',
    async (_, bytes) => {
      // The client closes its sending side, because the server waits for more after some of these.
      const answer = await ask(gateway().url, bytes, { thenEnd: true })
      expectProblem(answer, 'invalid-request')
      expect(answer.headers.get('connection')).toBe('close')
      await expectUnharmed(gateway())
    },
  )

  it.each(Object.entries(BROKEN_BODIES))(
    '%s is refused, and the connection is closed',
    async (_, bytes) => {
      const answer = await ask(gateway().url, bytes, { thenEnd: true })
      expect(['invalid-request', 'method-not-allowed']).toContain(JSON.parse(answer.body).code)
      expectProblem(answer, JSON.parse(answer.body).code)
      expect(answer.headers.get('connection')).toBe('close')
      await expectUnharmed(gateway())
    },
  )

  it('a HEAD with a body is refused without a body', async () => {
    const bytes = rawRequest(LIVE, { method: 'HEAD', headers: [HOST, 'Content-Length: 2'] })
    const answer = await ask(gateway().url, `${bytes}{}`)
    expect(answer).toMatchObject({ status: 400, body: '', rest: '' })
  })

  it('a proxy tunnel is not opened', async () => {
    const bytes = lines('CONNECT 127.0.0.1:6379 HTTP/1.1', 'Host: 127.0.0.1:6379')
    expect(await exchange(gateway().url, bytes)).toBe('')
    await expectUnharmed(gateway())
  })

  it('a connection without a byte is closed without an answer', async () => {
    expect(await exchange(gateway().url, '', { thenEnd: true })).toBe('')
    await expectUnharmed(gateway())
  })

  it('nonsense after a good request does not harm the answer to it', async () => {
    const bytes = `${lines(`GET ${LIVE} HTTP/1.1`, HOST)}NONSENSE\r\n\r\n`
    const text = await exchange(gateway().url, bytes)
    expect(readAnswer(text)).toMatchObject({ status: 200, body: '{"status":"ok"}', rest: '' })
  })

  // Regression: a caller was told 400, and never learned that an export had been started.
  it('nonsense behind a request that is still being answered does not replace its answer', async () => {
    const { url, lemlist } = await startGateway({
      lemlist: { exports: [{ campaignId: 'cam_Slow' }] },
    })
    const start = lines('POST /campaigns/cam_Slow/export/start HTTP/1.1', HOST, 'Content-Length: 0')
    const answer = await ask(url, `${start}NONSENSE\r\n\r\n`)
    expect(answer).toMatchObject({ status: 201, rest: '' })
    expect(answer.headers.get('connection')).toBe('close')
    expect(lemlist.calls).toHaveLength(1)
  })

  // Regression: a proxy could take the second answer for that to its next request.
  it('a request that was answered before its content broke off gets no second answer', async () => {
    const head = lines(`POST ${LIVE} HTTP/1.1`, HOST, 'Transfer-Encoding: chunked')
    const { url } = await startGateway()
    const socket = connect(Number(new URL(url).port))
    onTestFinished(() => void socket.destroy())
    let text = ''
    socket.on('data', (data: Buffer) => {
      text += data
    })
    socket.write(`${head}2\r\n{}\r\n`)
    await once(socket, 'data')
    const closed = once(socket, 'close')
    socket.write('0\r\nContent-Length: 5\r\n\r\n')
    await closed
    expect(readAnswer(text)).toMatchObject({ status: 405, rest: '' })
  })

  // Regression: such a request had two ids, one in its answer and one in its log line.
  it('a request whose content breaks off has one id', async () => {
    const { url, logs } = await startGateway()
    const answer = await ask(url, chunked('x\r\n'))
    await vi.waitFor(() => expect(logLines(logs())).toHaveLength(2))
    const ids = logLines(logs()).map(({ requestId }) => requestId)
    const id = answer.headers.get('x-request-id')
    expect(ids).toEqual([id, id])
  })

  it.each([
    ['of HTTP/1.0 without a Host', `GET ${LIVE} HTTP/1.0\r\n\r\n`],
    ['with an unknown expectation', rawRequest(LIVE, { headers: [HOST, 'Expect: wonders'] })],
    ['that asks before it sends', rawRequest(LIVE, { headers: [HOST, 'Expect: 100-continue'] })],
    ['that asks for an upgrade to HTTP/2', rawRequest(LIVE, { headers: [HOST, 'Upgrade: h2c'] })],
    [
      'that asks for an upgrade to a WebSocket',
      rawRequest(LIVE, { headers: [HOST, 'Upgrade: websocket'] }),
    ],
    ['with a length of zero', rawRequest(LIVE, { headers: [HOST, 'Content-Length: 0'] })],
    ['with empty lines before it', `\r\n\r\n${rawRequest(LIVE)}`],
    ['in absolute form', rawRequest(`http://127.0.0.1${LIVE}`)],
  ])('a request %s is answered', async (_, bytes) => {
    expect(await ask(gateway().url, bytes)).toMatchObject({ status: 200, rest: '' })
  })
})

describe('mutations of requests', () => {
  const gateway = sharedGateway()
  const BAD_ID = '/campaigns/..%2f..%2fteam/export/%00%00/status?a=b'
  const SEEDS = [
    rawRequest(LIVE, { headers: [HOST, 'Accept: application/json', 'X-A: b'] }),
    rawRequest(BAD_ID, { headers: [HOST, 'X-Request-Id: abc', 'If-None-Match: "a", W/"b"'] }),
    `${rawRequest(LIVE, { method: 'POST', headers: [HOST, 'Content-Type: application/json', 'Content-Length: 7'] })}{"a":1}`,
    `${rawRequest('/nowhere', { method: 'PUT', headers: [HOST, 'Transfer-Encoding: chunked'] })}5\r\nhello\r\n0\r\n\r\n`,
  ].map((text) => Buffer.from(text, 'latin1'))

  type Mutation = readonly [kind: 'flip' | 'cut' | 'add' | 'twice', at: number, bytes: Uint8Array]

  const mutated = (seed: Buffer, [kind, at, bytes]: Mutation): Buffer => {
    const place = Math.floor(at * seed.length)
    const head = seed.subarray(0, place)
    const tail = seed.subarray(place)
    if (kind === 'flip') return Buffer.concat([head, bytes, tail.subarray(bytes.length)])
    if (kind === 'cut') return Buffer.concat([head, tail.subarray(bytes.length)])
    if (kind === 'add') return Buffer.concat([head, bytes, tail])
    return Buffer.concat([seed.subarray(0, place), seed])
  }

  const telling = fc.constantFrom(
    ' ',
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    '\0',
    ':',
    '%',
    '/',
    '..',
    '?',
  )
  const mutation: fc.Arbitrary<Mutation> = fc.tuple(
    fc.constantFrom('flip', 'cut', 'add', 'twice'),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
      telling.map((text) => Buffer.from(text, 'latin1')),
    ),
  )

  it('1 000 of them are refused or served, never with a 5xx, and never passed on', async () => {
    const { url, lemlist, logs } = gateway()
    const seen = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SEEDS),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        async (seed, mutations) => {
          const bytes = mutations.reduce(mutated, seed)
          const text = await exchange(url, bytes, { thenEnd: true })
          const answer = readAnswer(text, bytes.toString('latin1').split(' ', 1)[0])
          if (answer === undefined) return
          seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
          expect(answer.status).toBeLessThan(500)
          if (answer.status >= 400 && answer.body !== '') {
            expectProblem({ ...answer, rest: '' }, JSON.parse(answer.body).code)
          }
        },
      ),
      { seed: 20_260_101, numRuns: 1_000 },
    )
    // Some mutations were served. Others were refused by the parser, the guard and the router.
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405]))
    expect(logs()).not.toMatch(/"level":[56]0/)
    await expectUnharmed({ ...gateway(), lemlist })
  }, 60_000)
})
