import { performance } from 'node:perf_hooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { statusPath } from '../helpers/gateway.ts'
import type { GatewayProcess } from '../helpers/process.ts'
import { withoutRedis } from '../helpers/redis.ts'
import {
  CALLS,
  configure,
  type Fleet,
  LIMIT,
  PASSWORD,
  RECOVERY_MS,
  read,
  start,
  WINDOW_MS,
} from '../helpers/redis-away.ts'
import { bareClient } from '../helpers/redis-store.ts'
import { busiestWindow } from '../helpers/windows.ts'

/** What the way to lemlist and this machine may take off a window. */
const JITTER_MS = 300

describe.skipIf(withoutRedis)('the budget of three replicas that want all of it', () => {
  /** Cold reads at all replicas without an end. */
  const load = (fleet: Fleet) => {
    const working = new AbortController()
    onTestFinished(() => working.abort())
    const worker = async (gateway: GatewayProcess) => {
      while (!working.signal.aborted) {
        await read(gateway, statusPath(fleet.pending())).catch(() => {})
      }
    }
    for (const gateway of fleet.gateways) for (let n = 0; n < 8; n += 1) void worker(gateway)
  }
  const setUp = async () => {
    const fleet = await start(3)
    const { lemlist, gateways } = fleet
    load(fleet)
    await lemlist.waitForCalls(2 * CALLS)
    const since = (at: number) => lemlist.calls.filter((call) => call.at > at).length
    /** So many calls from now on. */
    const spent = async (calls: number) => {
      const now = performance.now()
      await expect.poll(() => since(now), { timeout: 10_000 }).toBeGreaterThan(calls)
    }
    const degraded = async () => {
      const answers = await Promise.all(gateways.map((one) => read(one, '/health/ready')))
      return answers.filter(({ text }) => text.includes('degraded')).length
    }
    const times = (from = 0, to = Infinity) =>
      lemlist.calls.map(({ at }) => at).filter((at) => at >= from && at <= to)
    return { ...fleet, spent, degraded, times }
  }

  it('is kept when Redis fails for all, and nothing leaves for a window', async () => {
    const { redis, restart, all, spent, times } = await setUp()
    const brokenAt = performance.now()
    await redis().kill()
    await all('degraded')
    const awayAt = performance.now()
    await spent(CALLS)
    const beforeBack = performance.now()
    await restart()
    await all('ready')
    await spent(2 * CALLS)
    expect(busiestWindow(times(), WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    expect(busiestWindow(times(0, brokenAt), WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(CALLS)
    // Three shares of four.
    const away = times(awayAt + WINDOW_MS / 4, beforeBack)
    expect(busiestWindow(away, WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(3 * (LIMIT - CALLS))
    const around = times(brokenAt - WINDOW_MS, beforeBack)
    const gaps = around.slice(1).map((at, index) => at - (around[index] ?? 0))
    expect(Math.max(...gaps)).toBeGreaterThan(WINDOW_MS / 2)
  })

  it('is kept when Redis fails for one of them', async () => {
    const { storeUrl, all, spent, degraded, times } = await setUp()
    const client = await bareClient({ url: storeUrl })
    // One is thrown out and cannot come back: the password is another one for a while.
    const clients = String(await client.sendCommand(['CLIENT', 'LIST']))
    const line = clients.split('\n').find((text) => text.includes('cmd=evalsha'))
    const id = /id=(\d+)/.exec(line ?? '')?.[1]
    if (id === undefined) throw new Error('nobody to throw out')
    await configure(client, 'requirepass', 'another-password')
    await client.sendCommand(['CLIENT', 'KILL', 'ID', id])
    await expect.poll(degraded, { timeout: RECOVERY_MS }).toBe(1)
    await spent(4 * CALLS)
    expect(await degraded()).toBe(1)
    await configure(client, 'requirepass', PASSWORD)
    await all('ready')
    await spent(2 * CALLS)
    // The reserve, which is for what the way to lemlist takes off a window, is what the one has.
    expect(busiestWindow(times(), WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(LIMIT)
  })
})
