import { Agent, interceptors, request } from 'undici'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BOUNDLESS } from '../../helpers/faults.ts'
import { startGateway, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

/** How old an answer is, and how long a cache on the way may use it (RFC 9111). */

const HOUR = 3_600_000
const TWO_HOURS_S = 7_200

/** Sockets and timers stay real. Only the wall clock stands still until the test moves it. */
const useFakeClock = (): void => {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
}

const setUp = async (body: string) => {
  useFakeClock()
  const gateway = await startGateway({ env: BOUNDLESS })
  gateway.lemlist.script({}, { body })
  const url = gateway.url + statusPath(REF)
  const age = (ms: number) => vi.setSystemTime(Date.now() + ms)
  return { ...gateway, url, age, get: (init: RequestInit = {}) => fetch(url, init) }
}

const cachingOf = ({ headers }: Response) => [headers.get('age'), headers.get('cache-control')]

describe('a final status that lemlist gave two hours ago', () => {
  it.each([
    ['done', doneBody],
    ['error', () => statusBody('error')],
  ])('(%s) is fresh for another hour: max-age counts its Age', async (_, body) => {
    const { get, age } = await setUp(body())
    expect(cachingOf(await get())).toEqual(['0', 'private, max-age=3600'])
    age(2 * HOUR)
    const expected = [String(TWO_HOURS_S), `private, max-age=${TWO_HOURS_S + 3_600}`]
    const again = await get()
    expect(cachingOf(again)).toEqual(expected)
    expect(cachingOf(await get({ method: 'HEAD' }))).toEqual(expected)
    const etag = again.headers.get('etag') ?? ''
    const unchanged = await get({ headers: { 'If-None-Match': etag } })
    expect([unchanged.status, ...cachingOf(unchanged)]).toEqual([304, ...expected])
  })

  // Regression: `age: 7200` and `max-age=3600`. It was stale on arrival, and no cache used it.
  it('is used by a private cache, which asks the gateway once an hour', async () => {
    const { get, age, url, logs } = await setUp(doneBody())
    await get()
    age(2 * HOUR)
    const cache = new Agent().compose(interceptors.cache({ type: 'private' }))
    onTestFinished(() => cache.close())
    const read = async () => {
      const { body } = await request(url, { dispatcher: cache })
      return body.text()
    }
    const served = () => logs().split('"msg":"request"').length - 1
    expect(await read()).toBe(await read())
    await expect.poll(served).toBe(2)
    age(HOUR - 1_000)
    await read()
    expect(served()).toBe(2)
    age(2_000)
    await read()
    await expect.poll(served).toBe(3)
  })

  it('is fresh only as long as the gateway keeps it', async () => {
    const { get, age } = await setUp(doneBody({ endedAt: new Date().toISOString() }))
    await get()
    age(24 * HOUR - 60_000)
    const [aged, caching] = cachingOf(await get())
    expect(aged).toBe('86340')
    // Its last second may already have begun.
    expect(caching).toMatch(/^private, max-age=(86400|86399)$/)
    age(60_000)
    const gone = await get()
    expect([gone.status, ...cachingOf(gone)]).toEqual([410, null, 'no-store'])
  })
})

describe('a status that is not final', () => {
  it('is kept by no cache while it is pending', async () => {
    const { get, age } = await setUp(pendingBody())
    expect(cachingOf(await get())).toEqual(['0', 'no-store'])
    age(HOUR)
    expect(cachingOf(await get())).toEqual(['0', 'no-store'])
  })

  it('tells its true age, and is kept by no cache, while lemlist is in trouble', async () => {
    const { get, age, lemlist } = await setUp(pendingBody())
    await get()
    lemlist.script({}, { status: 500 })
    age(42_000)
    expect(cachingOf(await get())).toEqual(['42', 'no-store'])
  })

  it('with a word that lemlist has not documented is fresh for a minute from that word', async () => {
    const { get, age } = await setUp(statusBody('queued'))
    expect(cachingOf(await get())).toEqual(['0', 'private, max-age=60'])
    age(40_000)
    expect(cachingOf(await get())).toEqual(['40', 'private, max-age=60'])
  })
})
