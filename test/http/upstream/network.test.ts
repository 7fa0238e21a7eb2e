import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import {
  BOUNDLESS,
  CANARY,
  expectProblem,
  expectStale,
  type Fault,
  read,
  spiked,
  startIn,
} from '../../helpers/faults.ts'
import { startGateway } from '../../helpers/gateway.ts'
import { listenRaw } from '../../helpers/raw-upstream.ts'
import { doneBody, pendingBody } from '../../helpers/status-bodies.ts'

const away = (name: string, answer: Fault['answer'], calls = 1): Fault => ({
  name,
  answer,
  code: 'upstream-unavailable',
  passing: true,
  retryAfter: true,
  calls,
})
const late = (name: string, answer: Fault['answer']): Fault => ({
  name,
  answer,
  code: 'upstream-timeout',
  passing: true,
  timeoutMs: 400,
})
const garbled = (name: string, answer: Fault['answer']): Fault => ({
  name,
  answer,
  code: 'upstream-invalid',
})

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
const body = doneBody({ canary: CANARY })
const slow = { dripBytesPerSecond: 100 }
const FAULTS: Fault[] = [
  // For an export that was seen pending the socket is a used one. After a reset on a used socket
  // the gateway tries once more, so such a fault costs two calls.
  away('resets before the headers', { reset: 'before-headers' }, 2),
  away('resets in the headers', { reset: 'mid-headers' }, 2),
  away('resets in the body', { body, reset: 'mid-body' }, 2),
  away('closes in the body', { body, truncateAt: 50 }, 2),
  away('closes without an answer', { raw: '' }, 2),
  away('closes in a chunk', { raw: `${head}Transfer-Encoding: chunked\r\n\r\nff\r\n{"ok"` }, 2),
  late('hangs', { hang: true }),
  late('hangs in the headers', { raw: head, hang: true }),
  late('hangs in the body', { body, truncateAt: 50, hang: true }),
  late('sends its headers slowly', { raw: `${head}X-Pad: ${'x'.repeat(500)}\r\n`, ...slow }),
  late('sends its body slowly', { body, ...slow }),
  // Regression: errors of undici's parser have no code, and were told as a lost connection.
  garbled('is no HTTP', { raw: `${CANARY}\r\n\r\n` }),
  garbled('is HTTP of an unknown version', { raw: `HTTP/9.9 200 OK\r\n\r\n${body}` }),
  garbled('sends 64 KiB of headers', { raw: `${head}X-Pad: ${CANARY.repeat(4_000)}\r\n\r\n{}` }),
  garbled('sends two lengths', {
    raw: `${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}${CANARY}`,
  }),
  garbled('sends an invalid chunk', {
    raw: `${head}Transfer-Encoding: chunked\r\n\r\n${CANARY}\r\n`,
  }),
]

const envOf = ({ timeoutMs }: Fault) =>
  timeoutMs === undefined ? undefined : { LEMLIST_TIMEOUT_MS: String(timeoutMs) }

describe('an export that nobody has seen, when lemlist', () => {
  it.each(FAULTS)('$name: $code, nothing echoed, nothing cached', async (fault) => {
    const gateway = await startIn('unknown', envOf(fault))
    gateway.lemlist.script({ times: 1 }, spiked(fault.answer))
    const answer = await read(gateway)
    expectProblem(answer, fault.code)
    expect(answer.headers.has('retry-after')).toBe(fault.retryAfter ?? false)
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(gateway.lemlist.calls).toHaveLength(2)
  })
})

describe('an export that was seen pending, when lemlist', () => {
  it.each(FAULTS)(
    '$name: the old observation when the trouble passes, else a problem',
    async (fault) => {
      const gateway = await startIn('pending', envOf(fault))
      const { calls = 1 } = fault
      gateway.lemlist.script({ times: calls }, spiked(fault.answer))
      const answer = await read(gateway)
      if (fault.passing) expectStale(answer)
      else expectProblem(answer, fault.code)
      gateway.lemlist.script({}, { body: doneBody() })
      expect((await read(gateway)).text).toContain('"status":"done"')
      expect(gateway.lemlist.calls).toHaveLength(calls + 1)
    },
  )
})

describe('an export that was seen done, when lemlist', () => {
  it.each(FAULTS)('$name: is not asked for again', async (fault) => {
    const gateway = await startIn('done')
    gateway.lemlist.script({}, spiked(fault.answer))
    expect((await read(gateway)).status).toBe(200)
    expect(gateway.lemlist.calls).toEqual([])
  })
})

/** Starts a gateway whose lemlist is at this URL. */
const startTowards = (baseUrl: string, env: Readonly<Record<string, string>> = {}) =>
  startGateway({ env: { ...BOUNDLESS, LEMLIST_BASE_URL: baseUrl, ...env } })

describe('a lemlist', () => {
  it('whose name has no address is unavailable', async () => {
    const answer = await read(await startTowards('https://lemlist.invalid/api'))
    expectProblem(answer, 'upstream-unavailable')
    expect(answer.text + JSON.stringify([...answer.headers])).not.toContain('lemlist.invalid')
  })

  it('that refuses the connection is unavailable, with a Retry-After', async () => {
    const lemlist = createLemlist()
    const url = await lemlist.listen()
    await lemlist.close()
    const answer = await read(await startTowards(url))
    expectProblem(answer, 'upstream-unavailable')
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(answer.text + JSON.stringify([...answer.headers])).not.toContain(new URL(url).port)
  })

  it('that goes away leaves a pending observation, and answers again when it is back', async () => {
    const lemlist = createLemlist()
    const url = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    lemlist.script({ times: 1 }, { body: pendingBody() })
    lemlist.script({}, { body: doneBody() })
    const gateway = await startTowards(url)
    await read(gateway)
    await lemlist.close()
    expectStale(await read(gateway))
    await lemlist.listen(Number(new URL(url).port))
    expect((await read(gateway)).text).toContain('"status":"done"')
  })

  it('that takes connections and never answers is a time-out', async () => {
    const upstream = await listenRaw(() => {})
    const gateway = await startTowards(upstream.url, { LEMLIST_TIMEOUT_MS: '300' })
    expectProblem(await read(gateway), 'upstream-timeout')
    expect(upstream.connections()).toBe(1)
  })
})

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('%i is never followed', async (status) => {
    const evil = await listenRaw((socket) => socket.destroy())
    const gateway = await startIn('unknown')
    const headers = { Location: `${evil.url}/${CANARY}`, 'Content-Type': 'application/json' }
    gateway.lemlist.script({ times: 1 }, spiked({ status, headers, body: doneBody() }))
    const answer = await read(gateway)
    expectProblem(answer, 'upstream-invalid')
    expect(answer.headers.get('location')).toBeNull()
    gateway.lemlist.script({}, { body: pendingBody() })
    expect((await read(gateway)).text).toBe(pendingBody())
    expect(evil.connections()).toBe(0)
  })
})

describe('an answer that nobody asked for', () => {
  it.each([
    ['with the first answer', `${head}Content-Length: ${body.length}\r\n\r\n${body}`],
    ['that is no HTTP', CANARY],
  ])('%s on the socket is never taken for the next one', async (_, extra) => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({ times: 1 }, { body: pendingBody(), extra })
    gateway.lemlist.script({}, { body: pendingBody({ progress: 60 }) })
    expect((await read(gateway)).text).toBe(pendingBody())
    const second = await read(gateway)
    if (second.status === 200) expect(second.text).toBe(pendingBody({ progress: 60 }))
    else expectProblem(second, 'upstream-invalid')
    expect((await read(gateway)).text).toBe(pendingBody({ progress: 60 }))
  })

  it('of another export that comes in place of the right one is refused', async () => {
    const foreign = pendingBody({}, { campaignId: 'cam_Foreign', exportId: 'axp_Foreign' })
    const answer = (text: string) => `${head}Content-Length: ${text.length}\r\n\r\n${text}`
    const upstream = await listenRaw((socket) => {
      socket.on('data', () => socket.write(answer(foreign)))
    })
    expectProblem(await read(await startTowards(upstream.url)), 'upstream-invalid')
  })
})

describe('a kept-alive socket', () => {
  it('that lemlist closes just when it is used again costs no caller an answer', async () => {
    const gateway = await startIn('pending')
    gateway.lemlist.script({ times: 1 }, { reset: 'before-headers' })
    gateway.lemlist.script({}, { body: pendingBody({ progress: 60 }) })
    const answer = await read(gateway)
    expect(answer.text).toBe(pendingBody({ progress: 60 }))
    expect(answer.headers.get('cache-status')).toBe('lemlist-gateway; fwd=miss; fwd-status=200')
    expect(gateway.lemlist.calls).toHaveLength(2)
    const [first, second] = gateway.lemlist.calls
    expect(first?.connection).not.toBe(second?.connection)
  })

  it('that lemlist closed while it was idle costs no further call', async () => {
    const gateway = await startIn('pending')
    gateway.lemlist.closeIdle()
    gateway.lemlist.script({}, { body: pendingBody({ progress: 60 }) })
    for (let round = 0; round < 20; round += 1) {
      expect((await read(gateway)).text).toBe(pendingBody({ progress: 60 }))
      gateway.lemlist.closeIdle()
    }
    expect(gateway.lemlist.calls.length).toBeGreaterThanOrEqual(20)
  })

  it('is used again by the next call', async () => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({}, { body: pendingBody() })
    for (let round = 0; round < 3; round += 1) await read(gateway)
    expect(gateway.lemlist.calls.map(({ connection }) => connection)).toEqual([1, 1, 1])
  })
})
