import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSlidingWindow } from '../../src/store/sliding-window.ts'

/**
 * The highest number of calls in any closed window of this length. It is enough to look at the
 * windows that end at a call.
 */
const mostIn = (times: readonly number[], windowMs: number): number => {
  let most = 0
  let first = 0
  times.forEach((time, last) => {
    while ((times[first] ?? time) + windowMs < time) first++
    most = Math.max(most, last - first + 1)
  })
  return most
}

const limits = fc.record({
  calls: fc.integer({ min: 1, max: 40 }),
  windowMs: fc.integer({ min: 100, max: 5000 }),
})
/** Start times with fractions of milliseconds and after weeks of uptime, to find wrong rounding. */
const start = fc.double({ min: 0, max: 5e9, noNaN: true })

describe('sliding window', () => {
  it('never exceeds its limits in any window, however it is asked', async () => {
    const pauses = fc.array(
      fc.oneof(
        fc.constant(0),
        fc.double({ min: 0, max: 3, noNaN: true }),
        fc.double({ min: 0, max: 2000, noNaN: true }),
        fc.constant('as told' as const),
      ),
      { minLength: 50, maxLength: 300 },
    )
    await fc.assert(
      fc.asyncProperty(limits, start, pauses, async ({ calls, windowMs }, startAt, steps) => {
        let time = startAt
        let told = 0
        const times: number[] = []
        const { take } = createSlidingWindow({ calls, windowMs }, { now: () => time })
        for (const step of steps) {
          time += step === 'as told' ? told : step
          told = await take('default')
          if (told === 0) times.push(time)
        }
        expect(mostIn(times, windowMs)).toBeLessThanOrEqual(calls)
        expect(mostIn(times, windowMs / 4)).toBeLessThanOrEqual(Math.max(1, Math.floor(calls / 4)))
      }),
      { numRuns: 500, seed: 7 },
    )
  })

  it('names a wait in whole milliseconds after which a single caller gets a call', async () => {
    await fc.assert(
      fc.asyncProperty(limits, start, async ({ calls, windowMs }, startAt) => {
        let time = startAt
        const { take } = createSlidingWindow({ calls, windowMs }, { now: () => time })
        for (let n = 0; n < 100; n++) {
          const waitMs = await take('default')
          if (waitMs === 0) continue
          expect(waitMs).toBe(Math.ceil(waitMs))
          time += waitMs
          expect(await take('default')).toBe(0)
        }
      }),
      { numRuns: 200, seed: 7 },
    )
  })

  it('gives a caller who always asks at least 95 % of the budget', async () => {
    await fc.assert(
      fc.asyncProperty(limits, start, async ({ calls, windowMs }, startAt) => {
        let time = startAt
        let taken = 0
        const { take } = createSlidingWindow({ calls, windowMs }, { now: () => time })
        while (time < startAt + 20 * windowMs) {
          const waitMs = await take('default')
          if (waitMs === 0) taken++
          else time += waitMs
        }
        const perWindow = Math.min(calls, 4 * Math.max(1, Math.floor(calls / 4)))
        expect(taken).toBeGreaterThanOrEqual(20 * perWindow * 0.95)
      }),
      { numRuns: 100, seed: 7 },
    )
  })

  it('counts two calls that are exactly one window apart in the same window', async () => {
    let time = 0
    const { take } = createSlidingWindow({ calls: 1, windowMs: 2000 }, { now: () => time })
    expect(await take('default')).toBe(0)
    time = 2000
    expect(await take('default')).toBe(1)
    time = 2000.001
    expect(await take('default')).toBe(0)
  })

  it('tells a caller whose timer fired a little early to wait for at least a millisecond', async () => {
    let time = 0
    const { take } = createSlidingWindow({ calls: 4, windowMs: 2000 }, { now: () => time })
    await take('default')
    expect(await take('default')).toBe(501)
    time = 499.9
    expect(await take('default')).toBe(1)
  })

  it('lets no call leave until `quietUntil` has passed', async () => {
    let time = 10
    const options = { now: () => time, quietUntil: 1500 }
    const { take } = createSlidingWindow({ calls: 16, windowMs: 2000 }, options)
    expect(await take('default')).toBe(1491)
    time = 1500
    expect(await take('another')).toBe(1)
    time = 1501
    expect(await take('default')).toBe(0)
  })

  it('takes its time from a monotonic clock', async () => {
    const { take } = createSlidingWindow({ calls: 4, windowMs: 3_600_000 })
    expect(await take('default')).toBe(0)
    expect(await take('default')).toBeGreaterThan(800_000)
  })

  it.each([
    { calls: 0, windowMs: 2000 },
    { calls: 1.5, windowMs: 2000 },
    { calls: 16, windowMs: 0 },
    { calls: 16, windowMs: Number.NaN },
  ])('refuses $calls calls in $windowMs ms', (bad) => {
    expect(() => createSlidingWindow(bad)).toThrow(RangeError)
  })
})
