import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createCallLog } from '../../../src/sandbox/call-log.ts'
import { createLemlist, type Lemlist, type LemlistOptions } from '../../../src/sandbox/lemlist.ts'
import type { ScriptedAnswer } from '../../../src/sandbox/scripted-answers.ts'

const CAMPAIGN = 'cam_SandboxCampaign01'
const EXPORT = 'axp_SandboxTest000001'
const OTHER = 'axp_SandboxTest000002'
const pathOf = (exportId: string) => `/campaigns/${CAMPAIGN}/export/${exportId}/status`
const authorization = `Basic ${Buffer.from(':sandbox-key').toString('base64')}`

let lemlist: Lemlist | undefined
afterEach(() => lemlist?.close())

const begin = async (options: LemlistOptions = {}) => {
  const opened = createLemlist({
    exports: [EXPORT, OTHER].map((exportId) => ({
      campaignId: CAMPAIGN,
      exportId,
      outcome: 'never' as const,
    })),
    ...options,
  })
  lemlist = opened
  const base = await opened.listen()
  const get = (exportId = EXPORT) => fetch(base + pathOf(exportId), { headers: { authorization } })

  /** Opens a plain socket, sends a request and notes what arrives and how the connection ends. */
  const open = () => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    let received = ''
    const ended = new Promise<string>((resolve) => {
      socket.on('error', (error) => resolve('code' in error ? String(error.code) : 'error'))
      socket.on('end', () => resolve('end'))
    })
    const waiting = new Set<() => void>()
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1')
      for (const check of waiting) check()
    })
    /** Resolves once the bytes so far match. */
    const shows = (pattern: RegExp) =>
      new Promise<string>((resolve) => {
        const check = () => pattern.test(received) && waiting.delete(check) && resolve(received)
        waiting.add(check)
        check()
      })
    const send = () =>
      socket.write(
        `GET /api${pathOf(EXPORT)} HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`,
      )
    send()
    return { socket, send, shows, ended, text: () => received }
  }
  return { lemlist: opened, base, get, open }
}

describe('a scripted answer', () => {
  it('is given as it is, without lemlist’s own headers', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { status: 503, headers: { 'Retry-After': 'abc' }, body: '<html>' })
    const answer = await get()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('abc')
    expect(answer.headers.get('content-type')).toBeNull()
    expect(answer.headers.get('x-ratelimit-limit')).toBeNull()
    expect(await answer.text()).toBe('<html>')
  })

  it('can repeat a header and name its own date', async () => {
    const { lemlist, open } = await begin()
    const date = 'Thu, 25 Jul 2024 12:43:46 GMT'
    lemlist.script({}, { status: 429, headers: { 'Retry-After': ['1', '2'], Date: date } })
    const head = await open().shows(/\r\n\r\n/)
    expect(head).toContain('Retry-After: 1\r\nRetry-After: 2\r\n')
    expect(head.match(/^Date: .*$/gm)).toEqual([`Date: ${date}`])
  })

  it('adds only headers to the real answer when it has nothing else', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { headers: { 'Set-Cookie': 'a=b' } })
    const answer = await get()
    expect(answer.headers.get('set-cookie')).toBe('a=b')
    expect(answer.headers.get('x-ratelimit-limit')).toBe('20')
    expect(await answer.json()).toMatchObject({ ok: true })
  })

  it('is given to the next `times` requests that match; then lemlist answers itself again', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({ exportId: EXPORT, operation: 'status', times: 2 }, { status: 500 })
    lemlist.script({ operation: 'start' }, { status: 501 })
    lemlist.script({ campaignId: 'cam_Another' }, { status: 502 })
    const statuses = [await get(OTHER), await get(), await get(), await get()].map((a) => a.status)
    expect(statuses).toEqual([200, 500, 500, 200])
  })

  it('without `times` is replaced by a later one, and comes after those with `times`', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { status: 500 })
    lemlist.script({}, { status: 503 })
    lemlist.script({ times: 1 }, { status: 429 })
    const statuses = [await get(), await get()].map((a) => a.status)
    lemlist.clearScripts()
    expect([...statuses, (await get()).status]).toEqual([429, 503, 200])
  })

  it('can be held by a gate, and then tells what was true when the request arrived', async () => {
    const { lemlist, get } = await begin()
    const gate = Promise.withResolvers<void>()
    lemlist.script({ times: 1 }, { gate: gate.promise })
    const held = get()
    await lemlist.waitForCalls(1)
    lemlist.finish(EXPORT)
    expect(await (await get()).json()).toMatchObject({ status: { status: 'done' } })
    gate.resolve()
    expect(await (await held).json()).toMatchObject({ status: { status: 'pending' } })
  })

  it('can be delayed', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { delayMs: 60 })
    const before = performance.now()
    await get()
    expect(performance.now() - before).toBeGreaterThan(55)
  })

  it('that cannot be sent becomes a 500 that tells the test the reason', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { status: 200, headers: { 'X-Bad': 'a\nb' } })
    const answer = await get()
    expect(answer.status).toBe(500)
    expect(await answer.text()).toContain('sandbox: TypeError')
  })
})

describe('a scripted fault', () => {
  const body = '{"ok":true,"status":{"status":"done"}}'
  const ends: [string, ScriptedAnswer, string, RegExp][] = [
    ['a reset before the headers', { reset: 'before-headers' }, 'ECONNRESET', /^$/],
    [
      'a reset in the headers',
      { reset: 'mid-headers' },
      'ECONNRESET',
      /^HTTP\/1\.1 200 OK\r\n[^{]*$/,
    ],
    [
      'a reset in the body',
      { body, reset: 'mid-body' },
      'ECONNRESET',
      /Length: 38\r\n[^{]*{"ok":true,"status"$/,
    ],
    ['a cut body', { body, truncateAt: 5 }, 'end', /Content-Length: 38\r\n[^{]*{"ok"$/],
    ['raw bytes', { raw: 'HTTP/9 nonsense\r\n\r\n' }, 'end', /^HTTP\/9 nonsense\r\n\r\n$/],
    [
      'raw bytes, slowly',
      { raw: 'HTTP/1.1 200', dripBytesPerSecond: 400 },
      'end',
      /^HTTP\/1\.1 200$/,
    ],
  ]

  it.each(ends)('is %s', async (_, answer, ending, bytes) => {
    const { lemlist, open } = await begin()
    lemlist.script({}, answer)
    const client = open()
    expect(await client.ended).toBe(ending)
    expect(client.text()).toMatch(bytes)
  })

  it.each([
    ['nothing at all', { hang: true }, /^$/],
    ['half a head', { raw: 'HTTP/1.1 200 OK\r\nCont', hang: true }, /Cont$/],
    ['half a body', { body, truncateAt: 5, hang: true }, /\r\n\r\n{"ok"$/],
  ] as const)('is silence on an open socket after %s', async (_, answer, bytes) => {
    const { lemlist, get, open } = await begin()
    lemlist.script({ exportId: EXPORT }, answer)
    const client = open()
    await lemlist.waitForCalls(1)
    await client.shows(bytes)
    // This takes long enough for an end to arrive, if one was sent.
    await get(OTHER)
    expect(client.socket.readyState).toBe('open')
    await lemlist.close()
    expect(await client.ended).toMatch(/end|ECONNRESET/)
    expect(client.text()).toMatch(bytes)
  })

  it('is a slow body', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({}, { body: 'x'.repeat(20), dripBytesPerSecond: 100 })
    const before = performance.now()
    const answer = await get()
    expect(await answer.text()).toHaveLength(20)
    expect(performance.now() - before).toBeGreaterThan(130)
  })

  it('is an answer nobody asked for on the socket', async () => {
    const { lemlist, open } = await begin()
    lemlist.script({}, { body, extra: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}' })
    const text = await open().shows(/{}$/)
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2)
  })

  it('does not disturb the answers after it', async () => {
    const { lemlist, get } = await begin()
    lemlist.script({ times: 1 }, { reset: 'before-headers' })
    await expect(get()).rejects.toThrow('fetch failed')
    expect((await get()).status).toBe(200)
  })

  it('is an idle socket that lemlist closes without announcing it', async () => {
    const { open } = await begin({ keepAliveTimeoutMs: 40 })
    const client = open()
    await client.shows(/"total":\d+}}$/)
    expect(await client.ended).toBe('end')
    expect(client.text()).toContain('Connection: keep-alive\r\n')
    expect(client.text()).not.toContain('Keep-Alive: timeout')
  })

  it('is an idle socket that the test closes', async () => {
    const { lemlist, open } = await begin()
    const client = open()
    await client.shows(/}}$/)
    lemlist.closeIdle()
    expect(await client.ended).toBe('end')
  })
})

describe('the call log', () => {
  it('contains each request as it arrived, with the number of its connection', async () => {
    const { lemlist, open } = await begin()
    const client = open()
    await client.shows(/}}$/)
    client.send()
    await lemlist.waitForCalls(2)
    await open().shows(/}}$/)
    const [first] = lemlist.calls
    expect(first).toMatchObject({
      method: 'GET',
      path: `/api${pathOf(EXPORT)}`,
      operation: 'status',
      campaignId: CAMPAIGN,
      exportId: EXPORT,
      authorization,
      status: 200,
    })
    expect(lemlist.calls.map(({ connection }) => connection)).toEqual([1, 1, 2])
    expect(first?.at).toBeLessThanOrEqual(performance.now())
  })

  it('tells when enough calls have arrived, even if none is answered', async () => {
    const { lemlist, open } = await begin()
    lemlist.script({}, { hang: true })
    const both = lemlist.waitForCalls(2, ({ exportId }) => exportId === EXPORT)
    open()
    open()
    await both
    expect(lemlist.calls.map(({ status }) => status)).toEqual([0, 0])
    lemlist.clearCalls()
    expect(lemlist.calls).toEqual([])
  })
})

describe('a full call log', () => {
  it('drops its oldest tenth', () => {
    const log = createCallLog(10)
    const call = { method: 'GET', path: '/', operation: 'unknown', authorization: '' } as const
    for (let at = 0; at < 11; at += 1) log.record({ ...call, at, status: 200, connection: 1 })
    expect(log.calls.map(({ at }) => at)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })
})

describe('the emulator', () => {
  it('closes at once with calls under way, and can listen again on the same port', async () => {
    const { lemlist, base, get, open } = await begin()
    lemlist.script({}, { hang: true })
    const client = open()
    const quiet = connect(Number(new URL(base).port), '127.0.0.1')
    quiet.on('error', () => undefined)
    await once(quiet, 'connect')
    await lemlist.waitForCalls(1)
    await lemlist.close()
    await client.ended
    await expect(get()).rejects.toThrow('fetch failed')
    lemlist.clearScripts()
    expect(await lemlist.listen(Number(new URL(base).port))).toBe(base)
    expect((await get()).status).toBe(200)
  })

  it('closes when it never listened', async () => {
    await expect(createLemlist().close()).resolves.toBeUndefined()
  })
})
