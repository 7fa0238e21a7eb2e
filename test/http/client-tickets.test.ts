import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createTicket,
  downloadLink,
  GatewayProblem,
  getStatus,
  startExport,
  watchExport,
} from '../../src/client/client.js'
import { END, event, scriptedFetch } from '../helpers/scripted-fetch.ts'
import { refuse, reply, type StubRequest, startStub } from '../helpers/stub-gateway.ts'

const REF = { campaignId: 'cam_1', exportId: 'axp_1' }
const DONE = { status: { status: 'done' } }
const STARTED = { id: 'axp_1' }

/** A ticket as the gateway makes them. The client reads its payload and cannot check the rest. */
const ticketWith = (payload: Record<string, unknown>) =>
  `eyJhbGciOiJIUzI1NiJ9.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.c2lnbmVk`
const nowS = () => Date.now() / 1000

/** Brings the tickets `t1`, `t2` and so on. The client cannot read when they end. */
const counted = (make = (count: number) => `t${count}`) => {
  let count = 0
  return vi.fn(async () => make(++count))
}
const sentBy = ({ headers }: StubRequest) => headers.authorization
/** A stub that accepts these tickets and no other. */
const startAccepting = async (...accepted: string[]) =>
  startStub((request, response) => {
    if (!accepted.some((ticket) => sentBy(request) === `Bearer ${ticket}`)) return refuse(response)
    reply(response, 200, request.method === 'POST' ? STARTED : DONE)
  })

afterEach(() => {
  vi.useRealTimers()
})

/** Moves the clock of the client. Timers and sockets go on as they are. */
const setClock = (ms: number) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
}

describe('the ticket of a request', () => {
  it('is asked for at the first request, and kept for all calls with the same function', async () => {
    const { url: baseUrl, asked } = await startAccepting('t1')
    const ticket = counted()
    await getStatus({ baseUrl, ...REF, ticket })
    await startExport({ baseUrl, ...REF, ticket })
    expect(asked.map(sentBy)).toEqual(['Bearer t1', 'Bearer t1'])
    expect(ticket).toHaveBeenCalledTimes(1)
  })

  it('is asked for once by requests that need it at the same time', async () => {
    const { url: baseUrl, asked } = await startAccepting('t1')
    const ticket = counted()
    await Promise.all(Array.from({ length: 10 }, () => getStatus({ baseUrl, ...REF, ticket })))
    expect(asked).toHaveLength(10)
    expect(ticket).toHaveBeenCalledTimes(1)
  })

  it('belongs to its function: another function brings another ticket', async () => {
    const { url: baseUrl, asked } = await startAccepting('mine', 'yours')
    await getStatus({ baseUrl, ...REF, ticket: async () => 'mine' })
    await getStatus({ baseUrl, ...REF, ticket: async () => 'yours' })
    expect(asked.map(sentBy)).toEqual(['Bearer mine', 'Bearer yours'])
  })
})

describe('a ticket is replaced', () => {
  /** How often the function is called by two requests with this time between them. */
  const callsAfter = async (make: () => string, ms: number) => {
    const { url: baseUrl } = await startStub((_, response) => reply(response, 200, DONE))
    const ticket = vi.fn(async () => make())
    await getStatus({ baseUrl, ...REF, ticket })
    setClock(ms)
    await getStatus({ baseUrl, ...REF, ticket })
    return ticket.mock.calls.length
  }
  const lasting = (seconds: number) => () =>
    ticketWith({ iat: Math.floor(nowS()), exp: Math.floor(nowS()) + seconds, sub: 'Zoë' })

  it('30 seconds before its end, and not earlier', async () => {
    expect(await callsAfter(lasting(900), 860_000)).toBe(1)
    expect(await callsAfter(lasting(900), 875_000)).toBe(2)
  })

  it('after nine tenths of a short life', async () => {
    expect(await callsAfter(lasting(60), 45_000)).toBe(1)
    expect(await callsAfter(lasting(60), 58_000)).toBe(2)
  })

  it('in time on a device whose clock is an hour fast, and not at each request', async () => {
    const slow = () => ticketWith({ iat: nowS() - 3_600, exp: nowS() - 3_600 + 900 })
    expect(await callsAfter(slow, 860_000)).toBe(1)
    expect(await callsAfter(slow, 875_000)).toBe(2)
  })

  it('in time when the backend hands out one that it made a while ago', async () => {
    const old = () => ticketWith({ iat: nowS() - 600, exp: nowS() + 300 })
    expect(await callsAfter(old, 260_000)).toBe(1)
    expect(await callsAfter(old, 275_000)).toBe(2)
  })

  it('in time when it does not say when it was made', async () => {
    const bare = () => ticketWith({ exp: nowS() + 900 })
    expect(await callsAfter(bare, 860_000)).toBe(1)
    expect(await callsAfter(bare, 875_000)).toBe(2)
  })

  it.each([
    ['no JWT', 'opaque'],
    ['no JSON', 'a.b.c'],
    ['no `exp`', ticketWith({ iat: 1 })],
    ['an `exp` that is no number', ticketWith({ exp: 'soon' })],
    ['an end before its beginning', ticketWith({ iat: 9, exp: 1 })],
    ['a payload that is no object', `a.${Buffer.from('null').toString('base64url')}.c`],
  ])('after four and a half minutes when it has %s', async (_, ticket) => {
    expect(await callsAfter(() => ticket, 265_000)).toBe(1)
    expect(await callsAfter(() => ticket, 275_000)).toBe(2)
  })
})

describe('a refused ticket', () => {
  it('is replaced once, and the request is sent again', async () => {
    const { url: baseUrl, asked } = await startAccepting('t2')
    const ticket = counted()
    expect(await getStatus({ baseUrl, ...REF, ticket })).toEqual(DONE)
    expect(asked.map(sentBy)).toEqual(['Bearer t1', 'Bearer t2'])
  })

  it('keeps the key of a start, so that nothing is started twice', async () => {
    const { url: baseUrl, asked } = await startAccepting('t2')
    await startExport({ baseUrl, ...REF, ticket: counted() })
    expect(asked).toHaveLength(2)
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  it('is told to the caller when its replacement is refused, too', async () => {
    const { url: baseUrl, asked } = await startAccepting()
    const ticket = counted()
    const status = getStatus({ baseUrl, ...REF, ticket })
    await expect(status).rejects.toMatchObject({ code: 'unauthenticated', status: 401 })
    expect(asked).toHaveLength(2)
    expect(ticket).toHaveBeenCalledTimes(2)
  })

  it('is replaced for the next requests less and less often', async () => {
    const { url: baseUrl, asked } = await startAccepting()
    const ticket = counted()
    vi.useFakeTimers({ toFake: ['Date'] })
    const start = Date.now()
    const at: number[] = []
    for (let second = 0; second < 120; second += 1) {
      const before = ticket.mock.calls.length
      vi.setSystemTime(start + second * 1000)
      await getStatus({ baseUrl, ...REF, ticket }).catch(() => {})
      if (ticket.mock.calls.length > before) at.push(second)
    }
    // The waits are 1, 2, 4, 8, 16, 30, 30 … seconds, up to a quarter longer each.
    expect(at.length).toBeGreaterThanOrEqual(7)
    expect(at.length).toBeLessThanOrEqual(8)
    expect(asked.length).toBeLessThanOrEqual(120 + 8)
  })

  it('is replaced at once again after a ticket was accepted', async () => {
    let accepted = 't2'
    const { url: baseUrl } = await startStub((request, response) => {
      if (sentBy(request) !== `Bearer ${accepted}`) return refuse(response)
      reply(response, 200, DONE)
    })
    const ticket = counted()
    await getStatus({ baseUrl, ...REF, ticket })
    accepted = 't3'
    expect(await getStatus({ baseUrl, ...REF, ticket })).toEqual(DONE)
  })

  it('is replaced once by ten requests that were refused together', async () => {
    const { url: baseUrl, asked } = await startAccepting('t2')
    const ticket = counted()
    await Promise.all(Array.from({ length: 10 }, () => getStatus({ baseUrl, ...REF, ticket })))
    expect(ticket).toHaveBeenCalledTimes(2)
    expect(asked).toHaveLength(20)
  })
})

describe('a watch with a ticket', () => {
  const stream = (text: string) => (response: import('node:http').ServerResponse) =>
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(text)
  const pending = event('status', { status: { status: 'pending' } }, 'v1')
  const done = event('status', DONE, 'v2')

  it('reconnects with a fresh ticket and the last event id when the first has ended', async () => {
    const connections = [stream(`retry: 10\n\n${pending}`), stream(`${done}${END}`)]
    const { url: baseUrl, asked } = await startStub((_, response) =>
      connections[asked.length - 1]?.(response),
    )
    const ticket = counted((count) => ticketWith({ count, iat: nowS(), exp: nowS() + 900 }))
    const states: string[] = []
    for await (const { status } of watchExport({ baseUrl, ...REF, ticket })) {
      states.push(status.status)
      setClock(900_000)
    }
    expect(states).toEqual(['pending', 'done'])
    expect(ticket).toHaveBeenCalledTimes(2)
    expect(new Set(asked.map(sentBy)).size).toBe(2)
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'v1'])
    expect(asked.map(({ url }) => url)).toEqual(
      Array(2).fill('/campaigns/cam_1/export/axp_1/events'),
    )
  })

  it('reconnects with the same ticket while that is valid', async () => {
    const connections = [stream(`retry: 10\n\n${pending}`), stream(`${done}${END}`)]
    const { url: baseUrl, asked } = await startStub((_, response) =>
      connections[asked.length - 1]?.(response),
    )
    const ticket = counted()
    for await (const _ of watchExport({ baseUrl, ...REF, ticket }));
    expect(asked.map(sentBy)).toEqual(['Bearer t1', 'Bearer t1'])
  })

  it('goes on when a reconnect is refused and a fresh ticket is accepted', async () => {
    const answers = [stream(`retry: 10\n\n${pending}`), refuse, stream(`${done}${END}`)]
    const { url: baseUrl, asked } = await startStub((_, response) =>
      answers[asked.length - 1]?.(response),
    )
    const onProblem = vi.fn()
    const states: string[] = []
    for await (const { status } of watchExport({ baseUrl, ...REF, ticket: counted(), onProblem })) {
      states.push(status.status)
    }
    expect(states).toEqual(['pending', 'done'])
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'v1', 'v1'])
    // The only trouble is the cut.
    expect(onProblem.mock.calls).toMatchObject([[{ code: 'disconnected' }]])
  })

  it('ends with the refusal when a fresh ticket is refused, too', async () => {
    const { url: baseUrl, asked } = await startAccepting()
    const watch = watchExport({ baseUrl, ...REF, ticket: counted() })
    await expect(watch.next()).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(asked).toHaveLength(2)
  })

  it('tries again while the `ticket` function fails, and says so', async () => {
    const answer = stream(`retry: 10\n\n${done}${END}`)
    const { url: baseUrl, asked } = await startStub((_, response) => answer(response))
    const ticket = vi.fn(async () => 't1').mockRejectedValueOnce(new Error('no backend'))
    const onProblem = vi.fn()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const next = watchExport({ baseUrl, ...REF, ticket, onProblem }).next()
    await vi.waitFor(() => expect(onProblem).toHaveBeenCalled())
    await vi.advanceTimersByTimeAsync(4_000)
    expect((await next).value).toEqual(DONE)
    expect(onProblem.mock.calls).toMatchObject([[{ code: 'no-ticket', status: 0 }]])
    expect(asked).toHaveLength(1)
  })

  it('ends when the `ticket` function throws a refusal', async () => {
    const { url: baseUrl, asked } = await startAccepting()
    const told = { code: 'signed-out', status: 401, title: '', detail: 'Out.', retryable: false }
    const ticket = () => Promise.reject(new GatewayProblem(told))
    const watch = watchExport({ baseUrl, ...REF, ticket })
    await expect(watch.next()).rejects.toMatchObject({ code: 'signed-out' })
    expect(asked).toHaveLength(0)
  })
})

describe('a `ticket` function that fails', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('why'))],
    [
      'throws',
      () => {
        throw new Error('why')
      },
    ],
  ])('is told with its reason when it %s, and nothing is sent', async (_, ticket) => {
    const { url: baseUrl, asked } = await startAccepting()
    const told = { code: 'no-ticket', status: 0, retryable: true, cause: new Error('why') }
    await expect(getStatus({ baseUrl, ...REF, ticket })).rejects.toMatchObject(told)
    await expect(startExport({ baseUrl, ...REF, ticket })).rejects.toMatchObject(told)
    await expect(downloadLink({ baseUrl, ...REF, ticket })).rejects.toMatchObject(told)
    expect(asked).toHaveLength(0)
  })

  it('is not called again by the start that it fails', async () => {
    const ticket = vi.fn(() => Promise.reject(new Error('why')))
    await expect(startExport({ ...REF, ticket })).rejects.toMatchObject({ code: 'no-ticket' })
    expect(ticket).toHaveBeenCalledTimes(1)
  })

  it('is called again by the next request', async () => {
    const { url: baseUrl } = await startAccepting('t1')
    const ticket = vi.fn(async () => 't1').mockRejectedValueOnce(new Error('why'))
    await expect(getStatus({ baseUrl, ...REF, ticket })).rejects.toMatchObject({
      code: 'no-ticket',
    })
    expect(await getStatus({ baseUrl, ...REF, ticket })).toEqual(DONE)
  })

  it('has failed when it brings an empty ticket', async () => {
    const options = { baseUrl: 'http://gateway', ...REF, ticket: async () => '' }
    await expect(getStatus(options)).rejects.toMatchObject({ code: 'no-ticket' })
  })

  it('has failed when it takes more than 30 seconds', async () => {
    vi.useFakeTimers()
    const ticket = () => new Promise<string>(() => {})
    const failed = getStatus({ ...REF, ...scriptedFetch(), ticket }).catch((error) => error)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await failed).toMatchObject({ code: 'no-ticket' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keeps nobody waiting whose signal is aborted', async () => {
    const stop = new AbortController()
    const ticket = () => new Promise<string>(() => {})
    const status = getStatus({ ...REF, ticket, signal: stop.signal })
    const link = downloadLink({ ...REF, ticket, signal: stop.signal })
    await wait(1)
    stop.abort(new Error('enough'))
    await expect(status).rejects.toThrow('enough')
    await expect(link).rejects.toThrow('enough')
    // The same holds when the signal was aborted before.
    const late = getStatus({ ...REF, ticket, signal: stop.signal })
    await expect(late).rejects.toThrow('enough')
  })
})

describe('other credentials', () => {
  it('a key is sent as X-Api-Key and the account as X-Lemlist-Account', async () => {
    const { url: baseUrl, asked } = await startStub((_, response) => reply(response, 200, DONE))
    await getStatus({ baseUrl, ...REF, apiKey: 'leg_1', account: 'sales' })
    const [headers] = asked.map((one) => one.headers)
    expect(headers).toMatchObject({ 'x-api-key': 'leg_1', 'x-lemlist-account': 'sales' })
    expect(headers).not.toHaveProperty('authorization')
  })

  it('a key that is refused is not sent again', async () => {
    const { url: baseUrl, asked } = await startAccepting()
    const status = getStatus({ baseUrl, ...REF, apiKey: 'leg_1' })
    await expect(status).rejects.toMatchObject({ code: 'unauthenticated' })
    expect(asked).toHaveLength(1)
  })
})

describe('downloadLink', () => {
  const baseUrl = 'https://gateway.example'

  it('has the ticket in its query, encoded', async () => {
    expect(await downloadLink({ baseUrl, ...REF, ticket: async () => 'a.b&c' })).toBe(
      'https://gateway.example/campaigns/cam_1/export/axp_1/file?ticket=a.b%26c',
    )
  })

  it('is the plain URL without a ticket', async () => {
    expect(await downloadLink({ baseUrl, ...REF })).toBe(
      'https://gateway.example/campaigns/cam_1/export/axp_1/file',
    )
  })
})

describe('createTicket', () => {
  it('asks the gateway for what is listed, with the key', async () => {
    const made = { ticket: 'a.b.c', expiresAt: '2030-01-01T00:00:00Z' }
    const { url: baseUrl, asked } = await startStub((_, response) => reply(response, 201, made))
    const wanted = { campaigns: ['cam_2'], scopes: ['status'], ttl: 60 } as const
    expect(await createTicket({ baseUrl, apiKey: 'leg_1', exports: [REF], ...wanted })).toEqual(
      made,
    )
    const [{ method, url, headers, body } = expect.fail('nothing was sent')] = asked
    expect([method, url, headers['content-type']]).toEqual(['POST', '/tickets', 'application/json'])
    expect(headers['x-api-key']).toBe('leg_1')
    expect(JSON.parse(body)).toEqual({ exports: ['cam_1/axp_1'], ...wanted })
  })

  it('leaves out what is not given', async () => {
    const { url: baseUrl, asked } = await startStub((_, response) =>
      reply(response, 201, { ticket: 't' }),
    )
    await createTicket({ baseUrl, campaigns: ['cam_2'] })
    expect(asked.map(({ body }) => JSON.parse(body))).toEqual([{ campaigns: ['cam_2'] }])
  })
})
