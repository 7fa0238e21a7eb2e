import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { startFaultProxy } from '../../helpers/fleet/fault-proxy.ts'
import { createRandom } from '../../helpers/random.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix } from '../../helpers/redis-store.ts'
import { busiestWindow } from '../../helpers/windows.ts'
import { LIMITS, openOn, RESERVE, ref } from './fixtures.ts'

/** A window in which all replicas notice the outage, and are asked. */
const LONG = { ...LIMITS, windowMs: 5_000 }

/** Replicas on one Redis that know of each other. */
const openAll = async (replicas: number, limits = LIMITS) => {
  const redis = await startRedis()
  const prefix = freshPrefix()
  const open = () => openOn(redis.url, prefix, { beatMs: 50, limits })
  const all = await Promise.all(Array.from({ length: replicas }, open))
  // Many beats, in which each has counted the others.
  await delay(1_000)
  return { redis, all, stores: all.map(({ store }) => store) }
}

/** Takes as many calls as there are now. */
const takeAll = async (
  budget: { take(account: string, isDue?: () => boolean): Promise<number> },
  isDue: boolean,
) => {
  let taken = 0
  while (taken < 50 && (await budget.take('default', () => isDue)) === 0) taken += 1
  return taken
}

// Regression: for a whole window after Redis had gone, every read of an export that nobody had read
// before was refused.
describe.skipIf(withoutRedis)('in the window after Redis has gone', () => {
  it.each([
    [1, 4],
    [2, 2],
    [3, 1],
    [5, 0],
  ])('each of %i replicas has %i calls at once, for what is due alone', async (replicas, calls) => {
    const { redis, stores } = await openAll(replicas, LONG)
    redis.pause()
    await Promise.all(stores.map((store) => store.results.get(ref)))
    const early = await Promise.all(stores.map(({ budget }) => takeAll(budget, false)))
    const due = await Promise.all(stores.map(({ budget }) => takeAll(budget, true)))
    redis.resume()
    expect({ early, due }).toEqual({
      early: stores.map(() => 0),
      due: stores.map(() => calls),
    })
  })

  // Regression: a replica that had been without Redis at its start was counted only at the next beats.
  // Until then the others divided the reserve among too few.
  it('a replica that was without Redis at its start is counted at once when it has come back', async () => {
    const redis = await startRedis()
    const prefix = freshPrefix()
    const proxy = await startFaultProxy(redis.port, createRandom(1))
    const options = { beatMs: 60_000, limits: LONG }
    const { store } = await openOn(redis.url, prefix, options)
    proxy.refuse()
    const late = await openOn(`redis://127.0.0.1:${proxy.port}`, prefix, options)
    expect(late.switches).toEqual(['away'])
    proxy.heal()
    await late.isBack()
    expect(await takeAll(late.store.budget, true)).toBe(2)
    // The first replica hears of the other one, and counts again.
    await delay(500)
    redis.pause()
    await store.results.get(ref)
    expect(await takeAll(store.budget, true)).toBe(2)
    redis.resume()
  })

  it('and Redis goes and comes back again and again, no window has more calls than the limit', async () => {
    const { redis, all, stores } = await openAll(2)
    const times: number[] = []
    let done = false
    const spend = async (budget: (typeof stores)[number]['budget']) => {
      while (!done) {
        const waitMs = await budget.take('default', () => true)
        if (waitMs === 0) times.push(performance.now())
        else await delay(Math.min(waitMs, 10))
      }
    }
    const spending = stores.map(({ budget }) => spend(budget))
    await expect.poll(() => times.length, { timeout: 5_000 }).toBeGreaterThan(20)
    for (let round = 0; round < 3; round += 1) {
      redis.pause()
      await expect
        .poll(() => all.map(({ switches }) => switches.at(-1)), { timeout: 5_000 })
        .toEqual(['away', 'away'])
      redis.resume()
      await expect
        .poll(() => all.map(({ switches }) => switches.at(-1)), { timeout: 20_000 })
        .toEqual(['back', 'back'])
    }
    done = true
    await Promise.all(spending)
    // 20 ms: what a call may take from its permission to this clock.
    expect(busiestWindow(times, LIMITS.windowMs - 20)).toBeLessThanOrEqual(LIMITS.calls + RESERVE)
  })
})
