import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist, type Lemlist } from '../../src/sandbox/lemlist.ts'
import type { ScriptedAnswer } from '../../src/sandbox/scripted-answers.ts'
import { type FaultProxy, startFaultProxy } from '../helpers/fleet/fault-proxy.ts'
import { eventsPath, manyEventsPath, statusPath } from '../helpers/gateway.ts'
import { COLLECTING, keptMemory } from '../helpers/kept-memory.ts'
import { spawnGateway } from '../helpers/process.ts'
import { createRandom, type Random } from '../helpers/random.ts'
import { redisUrl, startRedis, withoutRedis } from '../helpers/redis.ts'
import { startSoakClients } from '../helpers/soak-clients.ts'

/**
 * Hours of work in minutes: every interval is a twentieth of its default. `npm run soak` runs this for
 * 3 minutes, which are an hour, and `SOAK_MINUTES=30 npm run soak` for ten hours.
 */

const MINUTES = Number(process.env.SOAK_MINUTES ?? 3)
const SEED = Number(process.env.SOAK_SEED ?? 20_261_126)
const STREAMS = 1_000
const EXPORTS = 200
const SAMPLE_MS = 2_000
/** Until then caches, connections and the compiler's code grow to what they need. */
const SETTLED = 1 / 2
const MOST_MIB_A_MINUTE = 1

const TWENTIETH = {
  ...{ POLL_FIRST_MS: '50', POLL_INTERVAL_MS: '250', POLL_MAX_INTERVAL_MS: '750' },
  ...{ POLL_IDLE_INTERVAL_MS: '3000', SSE_HEARTBEAT_MS: '750', SSE_MAX_AGE_MS: '30000' },
  ...{ LEMLIST_RATE_WINDOW_MS: '100', LEMLIST_TIMEOUT_MS: '500' },
  ...{ EXPORT_TTL_MS: '360000', FILE_TTL_MS: '4320000' },
}

const LEMLIST_FAULTS: [ScriptedAnswer, ...ScriptedAnswer[]] = [
  { status: 503, body: 'Service Unavailable' },
  { status: 429, headers: { 'Retry-After': '1' }, body: '{}' },
  { status: 200, body: '{"ok":' },
  { reset: 'mid-headers' },
  { hang: true },
  { delayMs: 200 },
]

/** The slope of the line through the points that has the least squares. */
const slopeOf = (points: readonly { readonly x: number; readonly y: number }[]): number => {
  const mean = (of: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean((point) => point.x), mean((point) => point.y)]
  const both = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0)
  return both / points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
}

/** Each second one export ends and another begins, and ten others make progress. */
const moveExports = (lemlist: Lemlist, random: Random) => {
  const campaignId = 'cam_Soak00000001'
  const begin = () => lemlist.add({ campaignId, outcome: 'never' })
  const pending = Array.from({ length: EXPORTS }, begin)
  let step = 0
  const timer = setInterval(() => {
    step += 1
    for (let count = 0; count < 10; count += 1) {
      const one = pending[random.between(0, EXPORTS - 1)]
      if (one !== undefined) lemlist.progress(one.exportId, step, 100_000)
    }
    const index = step % EXPORTS
    const [ended] = pending.splice(index, 1, begin())
    if (ended !== undefined) lemlist.finish(ended.exportId, random.next() < 0.9 ? 'done' : 'error')
  }, 1_000)
  const some = (count: number) =>
    Array.from(
      { length: count },
      () => pending[random.between(0, EXPORTS - 1)] ?? pending[0],
    ).flatMap((one) => one ?? [])
  const end = (): void => {
    clearInterval(timer)
    for (const { exportId } of pending) lemlist.finish(exportId)
  }
  return { some, end }
}

/** Trouble of lemlist, then of Redis, each for three seconds, with seven quiet ones after it. */
const disturb = async (lemlist: Lemlist, redis: FaultProxy, random: Random, untilMs: number) => {
  for (let turn = 0; performance.now() < untilMs; turn += 1) {
    if (turn % 2 === 0) lemlist.script({ operation: 'status' }, random.pick(LEMLIST_FAULTS))
    else random.pick([redis.swallow, redis.cut, redis.refuse])()
    await delay(3_000)
    lemlist.clearScripts()
    redis.heal()
    await delay(7_000)
  }
}

describe.skipIf(withoutRedis)(`${MINUTES} minutes at twenty times the speed`, () => {
  it('leave no more memory, timers and sockets than before', {
    timeout: MINUTES * 60_000 + 150_000,
  }, async () => {
    const random = createRandom(SEED)
    const server = await startRedis()
    const redis = await startFaultProxy(server.port, random)
    const lemlist = createLemlist({ rateLimit: { calls: 1_000, windowMs: 100 } })
    const LEMLIST_BASE_URL = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const gateway = await spawnGateway({
      ...{ ...TWENTIETH, ...COLLECTING, LEMLIST_BASE_URL, LEMLIST_API_KEY: 'sandbox-key' },
      ...{ STORE_URL: redisUrl(redis.port), OPS_PORT: '0', LOG_LEVEL: 'info' },
    })
    const ops = `http://127.0.0.1:${/"opsPort":(\d+)/.exec(gateway.output())?.[1]}`
    const followed = async (): Promise<number> => {
      const { total }: { total: number } = JSON.parse(await (await fetch(`${ops}/exports`)).text())
      return total
    }
    const openNow = async () => {
      const { resources } = await keptMemory(gateway)
      const { Timeout = 0, TCPSocketWrap = 0 } = resources
      return { timers: Timeout, sockets: TCPSocketWrap }
    }
    const exports = moveExports(lemlist, random)
    onTestFinished(exports.end)
    // One round of everything loads all code and opens the connections that stay.
    const [first] = exports.some(1)
    if (first === undefined) throw new Error('no export')
    await fetch(gateway.url + statusPath(first))
    const base = await openNow()

    const from = performance.now()
    const untilMs = from + MINUTES * 60_000
    const clients = startSoakClients({
      ...{ url: gateway.url, clients: STREAMS },
      path: () => {
        const some = exports.some(random.next() < 0.5 ? 1 : random.between(2, 20))
        const [one] = some
        return one !== undefined && some.length === 1
          ? eventsPath(one)
          : manyEventsPath([...new Set(some)])
      },
      stayMs: () => random.between(2_000, 30_000),
      awayMs: () => random.between(0, 2_000),
    })
    onTestFinished(clients.leave)
    const disturbed = disturb(lemlist, redis, random, untilMs)
    const samples: { x: number; y: number }[] = []
    let most = 0
    while (performance.now() < untilMs) {
      await delay(SAMPLE_MS)
      const { heapUsed } = await keptMemory(gateway)
      samples.push({ x: (performance.now() - from) / 60_000, y: heapUsed })
      most = Math.max(most, clients.connected())
    }
    await disturbed
    clients.leave()
    exports.end()
    const told = clients.events()
    await expect.poll(followed, { timeout: 60_000 }).toBe(0)
    const settled = samples.filter(({ x }) => x > MINUTES * SETTLED)
    const slope = slopeOf(settled)
    let after = await openNow()
    await expect
      .poll(
        async () => {
          after = await openNow()
          return after.timers <= base.timers && after.sockets <= base.sockets
        },
        { timeout: 30_000, interval: 1_000 },
      )
      .toBe(true)
      .catch(() => {})
    process.stdout.write(
      `soak: ${told} events, ${most} streams, heap ${settled.at(0)?.y.toFixed(1)} to ${settled.at(-1)?.y.toFixed(1)} MiB, ` +
        `${slope.toFixed(2)} MiB a minute; timers ${base.timers} and ${after.timers}, sockets ${base.sockets} and ${after.sockets}\n`,
    )
    expect(gateway.child.exitCode).toBeNull()
    expect(gateway.output()).not.toContain('unexpected error')
    expect(settled.length).toBeGreaterThan(5)
    expect(most).toBeGreaterThan(STREAMS * 0.7)
    expect(clients.refused()).toBe(0)
    expect(told).toBeGreaterThan(10_000)
    expect(slope).toBeLessThan(MOST_MIB_A_MINUTE)
    expect(after.timers).toBeLessThanOrEqual(base.timers)
    expect(after.sockets).toBeLessThanOrEqual(base.sockets)
  })
})
