import { performance } from 'node:perf_hooks'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Holder } from '../../../../src/http/events/holders.ts'
import { createStreams, type OpenStream } from '../../../../src/http/events/streams.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'

const HEARTBEAT_MS = 15_000
const MAX_AGE_MS = 600_000

const start = ({ max = 10_000, maxPerCaller = 10_000, drainMs = 10_000 } = {}) => {
  useFakeTime()
  const streams = createStreams({
    max,
    maxPerCaller,
    cut: 'abrupt',
    drainMs,
    heartbeatMs: HEARTBEAT_MS,
    maxAgeMs: MAX_AGE_MS,
  })
  onTestFinished(() => streams.close())
  const log: { number: number; did: string; retryMs?: number | undefined; at: number }[] = []
  /** Adds streams that leave when they are cut. */
  const open = (
    count: number,
    {
      expiresAt = Number.POSITIVE_INFINITY,
      stuckSince = () => undefined as number | undefined,
      holder = { caller: undefined, account: 'default' } as Holder,
    } = {},
  ) => {
    for (let number = 0; number < count; number += 1) {
      const stream: OpenStream = {
        expiresAt,
        stuckSince,
        beat: () => void log.push({ number, did: 'beat', at: Date.now() }),
        cut: (did, retryMs) => {
          log.push({ number, did, retryMs, at: Date.now() })
          streams.remove(stream)
        },
      }
      streams.add(stream, holder)
    }
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  return { streams, log, open, pass }
}

describe('the open streams', () => {
  it('are bounded for each caller, and not for those who are not told apart', () => {
    const { streams, open } = start({ maxPerCaller: 2 })
    open(2, { holder: { caller: 'key:crm', account: 'sales' } })
    open(5, { holder: { caller: undefined, account: 'sales' } })
    expect(streams.hasRoomFor('key:crm')).toBe(false)
    expect(streams.hasRoomFor('key:bi')).toBe(true)
    expect(streams.hasRoomFor(undefined)).toBe(true)
    streams.cutAccount('sales')
    expect(streams.hasRoomFor('key:crm')).toBe(true)
  })

  it('of one account are cut when it is closed, and no others', () => {
    const { streams, log, open } = start()
    open(2, { holder: { caller: 'key:crm', account: 'sales' } })
    open(3, { holder: { caller: 'key:crm', account: 'emea' } })
    streams.cutAccount('sales')
    expect(log.map(({ did }) => did)).toEqual(['closed', 'closed'])
    expect(streams.size()).toBe(3)
  })

  it('are bounded', () => {
    const { streams, open } = start({ max: 3 })
    open(2)
    expect(streams.hasRoom()).toBe(true)
    open(1)
    expect([streams.hasRoom(), streams.size()]).toEqual([false, 3])
  })

  it('all get a heartbeat from one timer, in slices of 256', async () => {
    const { log, open, pass } = start()
    const before = vi.getTimerCount()
    open(600)
    expect(vi.getTimerCount()).toBe(before)
    vi.advanceTimersByTime(HEARTBEAT_MS)
    const beats = () => log.filter(({ did }) => did === 'beat').length
    const first = beats()
    await pass(5)
    expect([first % 256, first < 600, beats()]).toEqual([0, true, 600])
    await pass(HEARTBEAT_MS)
    expect(beats()).toBe(1_200)
  })

  it('live for 80 to 100 % of the longest life, each for its own time', () => {
    const { streams } = start()
    const now = performance.now()
    const lives = Array.from({ length: 1_000 }, () => (streams.expiry() - now) / MAX_AGE_MS)
    expect(Math.min(...lives)).toBeGreaterThanOrEqual(0.8)
    // The last 2 % and a little more are left for the client to take the last bytes.
    expect(Math.max(...lives)).toBeLessThanOrEqual(0.98)
    expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(0.15)
  })

  it('are rotated each at a moment of its own, also those that end within one second', async () => {
    // Regression: the gateway looked for old streams once a second, and ended all of a second at
    // one moment.
    const { log, open, pass } = start()
    const now = performance.now()
    const ends = [3, 700, 999, 1_000, 1_001, 4_250, 4_251, 4_900]
    for (const end of ends) open(1, { expiresAt: now + end })
    const startedAt = Date.now()
    await pass(6_000)
    expect(log.map(({ did, at }) => [did, at - startedAt])).toEqual(
      ends.map((end) => ['rotated', end]),
    )
  })

  it('do not outlive the longest life when the client does not take the last bytes', async () => {
    const { streams, log, pass } = start()
    const now = performance.now()
    const stream: OpenStream = {
      expiresAt: streams.expiry(),
      stuckSince: () => undefined,
      beat: () => {},
      cut: (did, retryMs) => {
        log.push({ number: 0, did, retryMs, at: performance.now() - now })
        if (retryMs === undefined) streams.remove(stream)
      },
    }
    streams.add(stream, { caller: undefined, account: 'default' })
    await pass(MAX_AGE_MS)
    expect(log.map(({ did, retryMs }) => [did, retryMs])).toEqual([
      ['rotated', expect.any(Number)],
      ['rotated', undefined],
    ])
    expect(log.at(-1)?.at).toBeLessThanOrEqual(MAX_AGE_MS)
  })

  it('are rotated when their life is over, with a pause of 2 to 5 s', async () => {
    const { log, open, pass } = start()
    open(100, { expiresAt: performance.now() + 4_500 })
    await pass(4_000)
    expect(log).toEqual([])
    await pass(1_000)
    expect(new Set(log.map(({ did }) => did))).toEqual(new Set(['rotated']))
    const pauses = log.map(({ retryMs = 0 }) => retryMs)
    expect([log.length, Math.min(...pauses) >= 2_000, Math.max(...pauses) <= 5_000]).toEqual([
      100,
      true,
      true,
    ])
    expect(new Set(pauses).size).toBeGreaterThan(20)
  })

  it('are not rotated when the wall clock is changed', async () => {
    // Regression: the end of a stream was a time of the wall clock, and all streams ended at once
    // when that clock was put forward.
    const { streams, log, open, pass } = start()
    open(10, { expiresAt: streams.expiry() })
    vi.setSystemTime(Date.now() + MAX_AGE_MS)
    vi.spyOn(performance, 'now').mockReturnValue(1_000)
    // Long enough for a look at all streams, and for the ends that it plans.
    await pass(10_000)
    expect(log.filter(({ did }) => did === 'rotated')).toEqual([])
  })

  it('are cut without a `retry` 30 to 35 s after their client stopped reading', async () => {
    const { log, open, pass } = start()
    const since = performance.now()
    open(1, { stuckSince: () => since })
    await pass(29_999)
    expect(log.filter(({ did }) => did === 'slow')).toEqual([])
    await pass(2_000)
    expect(log.filter(({ did }) => did === 'slow')).toMatchObject([{ retryMs: undefined }])
  })

  it('are not cut when their client reads on in the last moment', async () => {
    const { log, open, pass } = start()
    let since: number | undefined = performance.now()
    open(1, { stuckSince: () => since })
    await pass(29_999)
    since = undefined
    await pass(10_000)
    expect(log.filter(({ did }) => did === 'slow')).toEqual([])
  })

  it('are all cut when the gateway closes', () => {
    const { streams, log, open } = start()
    open(3)
    streams.close()
    expect(log.map(({ did, retryMs }) => [did, retryMs])).toEqual([
      ['drained', undefined],
      ['drained', undefined],
      ['drained', undefined],
    ])
    expect(streams.size()).toBe(0)
  })

  it('leave no timer behind', () => {
    const { streams } = start()
    const before = vi.getTimerCount()
    streams.close()
    expect([before, vi.getTimerCount()]).toEqual([2, 0])
  })
})

describe('a drain', () => {
  const drained = async (count: number, drainMs?: number) => {
    const one = start(drainMs === undefined ? {} : { drainMs })
    one.open(count)
    const startedAt = Date.now()
    let overAfterMs: number | undefined
    void one.streams.drain().then(() => {
      overAfterMs = Date.now() - startedAt
    })
    await one.pass(20_000)
    const cuts = one.log.filter(({ did }) => did === 'drained')
    return { ...one, cuts, startedAt, overAfterMs }
  }

  it('cuts each stream once, with a pause of 1 to 3 s', async () => {
    const { cuts } = await drained(300)
    expect(new Set(cuts.map(({ number }) => number)).size).toBe(300)
    expect(cuts).toHaveLength(300)
    const pauses = cuts.map(({ retryMs = 0 }) => retryMs)
    expect([Math.min(...pauses) >= 1_000, Math.max(...pauses) <= 3_000]).toEqual([true, true])
  })

  it('cuts in random order: the first to come is not the first to be cut', async () => {
    const { cuts } = await drained(300)
    const order = cuts.map(({ number }) => number)
    expect(order).not.toEqual([...order].sort((a, b) => a - b))
  })

  it.each([
    [0, undefined, 0],
    [10, undefined, 50],
    [400, undefined, 2_000],
    [400, 500, 500],
  ])(
    'of %d streams takes longer the more there are, up to a longest time',
    async (count, longestMs, ms) => {
      const { overAfterMs, cuts, startedAt } = await drained(count, longestMs)
      expect(overAfterMs).toBeLessThanOrEqual(ms)
      expect(overAfterMs).toBeGreaterThanOrEqual(ms * 0.8)
      const early = cuts.filter(({ at }) => at - startedAt < ms / 2).length
      expect(Math.abs(early - count / 2)).toBeLessThanOrEqual(Math.max(2, count * 0.05))
    },
  )

  it('is known at once to those who wait, and to those who come later', () => {
    const { streams } = start()
    let told = 0
    streams.draining.addEventListener('abort', () => {
      told += 1
    })
    expect(streams.isDraining()).toBe(false)
    void streams.drain()
    expect([streams.isDraining(), told]).toEqual([true, 1])
  })
})
