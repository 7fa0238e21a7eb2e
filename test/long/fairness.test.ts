import { describe, expect, it } from 'vitest'
import { type Scenario, simulate } from '../helpers/simulation/simulation.ts'

const MINUTE_MS = 60_000
const BASE = { storeUrl: 'memory:', seed: 11 } satisfies Partial<Scenario>
/**
 * The mean delay when all looks go to `exports` exports in turn, milliseconds. 16 calls in 2 s are 8
 * calls in a second, so each of N exports gets a look every N / 8 s. On average an export ends in the
 * middle between two of its looks.
 */
const optimumMs = (exports: number): number => (exports / (2 * 8)) * 1_000

// Time is virtual: a busy machine takes longer and finds the same.
describe('the poll schedule with the default budget', { timeout: 120_000 }, () => {
  // Regression: the gateway's own random numbers had no seed. In one run of 25 or so, one export took
  // the whole measured time, and too few ended.
  it('is judged by the same run each time', async () => {
    const scenario = { ...BASE, watched: 20, medianMs: MINUTE_MS / 2, runMs: MINUTE_MS }
    const { watched, calls } = await simulate(scenario)
    expect(watched.ended).toBeGreaterThan(10)
    expect(await simulate(scenario)).toMatchObject({ watched, calls })
  })

  it.each([
    [300, 3],
    [1_000, 6],
  ])('looks at each of %i watched exports equally often', async (count, minutes) => {
    const { watched, busiest, failures } = await simulate({
      ...{ ...BASE, watched: count, medianMs: Number.POSITIVE_INFINITY },
      runMs: minutes * MINUTE_MS,
    })
    expect(failures).toEqual([])
    expect(watched.exports).toBe(count)
    expect(watched.fewest).toBeGreaterThanOrEqual(2)
    expect(watched.longestGap).toBeLessThanOrEqual(2 * watched.shortestGap)
    expect(busiest).toBe(16)
  })

  it('tells the ends of 300 watched exports nearly as soon as the budget allows', async () => {
    const { watched } = await simulate({
      ...{ ...BASE, watched: 300, medianMs: MINUTE_MS },
      runMs: 10 * MINUTE_MS,
    })
    expect(watched.ended).toBeGreaterThan(1_000)
    expect(watched.meanDelay).toBeLessThanOrEqual(1.15 * optimumMs(300))
  })

  it('keeps the pace of a watched export beside 2 000 idle ones, and looks at each of these within 20 minutes', async () => {
    const { watched, idle } = await simulate({
      ...{ ...BASE, watched: 1, medianMs: MINUTE_MS / 2 },
      ...{ idle: 2_000, idleMedianMs: Number.POSITIVE_INFINITY },
      runMs: 15 * MINUTE_MS,
    })
    expect(watched.ended).toBeGreaterThan(5)
    expect(watched.beyondInterval).toBeLessThanOrEqual(2_000)
    expect(idle.exports).toBe(2_000)
    expect(idle.longestGap).toBeLessThanOrEqual(20 * MINUTE_MS)
  })

  it('gives exports that nobody watches a quarter of the calls', async () => {
    const { calls } = await simulate({
      ...{ ...BASE, watched: 500, medianMs: MINUTE_MS },
      ...{ idle: 500, idleMedianMs: Number.POSITIVE_INFINITY },
      runMs: 5 * MINUTE_MS,
    })
    const all = calls.watched + calls.idle
    expect(calls.idle / all).toBeCloseTo(0.25, 2)
  })

  it('tells the ends of 50 real exports at most a third later beside 10 000 unknown ids, which it forgets with their streams', async () => {
    const scenario = { ...BASE, watched: 50, medianMs: MINUTE_MS, runMs: 10 * MINUTE_MS }
    const alone = await simulate(scenario)
    const beside = await simulate({ ...scenario, unknown: 10_000 })
    expect(beside.calls.unconfirmed).toBeGreaterThan(500)
    expect(beside.watched.meanDelay).toBeLessThanOrEqual((4 / 3) * alone.watched.meanDelay)
    expect(beside.lateUnknown).toBe(0)
  })

  it('lets only one of three replicas look at an export at a time, also when there is trouble', async () => {
    const { doubles, busiest, calls, failures } = await simulate({
      ...{ ...BASE, replicas: 3, watched: 50, medianMs: MINUTE_MS },
      ...{ idle: 100, idleMedianMs: 10 * MINUTE_MS, unknown: 200, trouble: true },
      runMs: 15 * MINUTE_MS,
    })
    expect(failures).toEqual([])
    expect(calls.watched).toBeGreaterThan(1_000)
    expect(doubles).toBe(0)
    expect(busiest).toBeLessThanOrEqual(16)
  })
})
