import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isState } from '../helpers/event-connection.ts'
import { statusPath } from '../helpers/gateway.ts'
import type { GatewayProcess } from '../helpers/process.ts'
import { type RedisServer, withoutRedis } from '../helpers/redis.ts'
import {
  type Fleet,
  LIMIT,
  type Read,
  type Ref,
  read,
  start,
  WINDOW_MS,
} from '../helpers/redis-away.ts'
import { type BareClient, bareClient } from '../helpers/redis-store.ts'
import { busiestWindow } from '../helpers/windows.ts'

/** Tests what two gateways do while Redis is away, and when it is back. */

/** No request waits longer than 250 ms for Redis. The other 750 ms are for a busy machine. */
const MOST_MS = 1_000

const post = async ({ url }: GatewayProcess, campaignId: string, key?: string) => {
  const headers = key === undefined ? {} : { 'Idempotency-Key': key }
  const began = performance.now()
  const response = await fetch(`${url}/campaigns/${campaignId}/export/start`, {
    method: 'POST',
    headers,
  })
  const text = await response.text()
  return { status: response.status, text, ms: performance.now() - began }
}

/**
 * Reads a final export, a pending one and ever new ones that no gateway has seen, again and again at
 * every gateway, until `stop` is called.
 */
const keepReading = (fleet: Fleet, done: Ref, seen: Ref) => {
  const reads: Record<'cached' | 'pending' | 'cold', Read[]> = { cached: [], pending: [], cold: [] }
  let stopped = false
  const loop = async (kind: keyof typeof reads, everyMs: number, path: () => string) => {
    while (!stopped) {
      for (const gateway of fleet.gateways) reads[kind].push(await read(gateway, path()))
      await delay(everyMs)
    }
  }
  const loops = Promise.all([
    loop('cached', 40, () => statusPath(done)),
    loop('pending', 700, () => statusPath(seen)),
    loop('cold', 1_100, () => statusPath(fleet.pending())),
  ])
  // A test that fails never calls `stop`. Its gateways end, and then the reads fail: that says nothing.
  loops.catch(() => {})
  onTestFinished(() => {
    stopped = true
  })
  return {
    reads,
    stop: async () => {
      stopped = true
      await loops
    },
  }
}

export interface Outage {
  /** What happens to Redis. It completes "when Redis …". */
  readonly name: string
  /** The least time between the begin and the end, milliseconds. */
  readonly lastsMs: number
  begin(redis: RedisServer, client: BareClient): Promise<unknown>
  end(fleet: Fleet, client: BareClient): Promise<unknown>
}

/** Registers the test of one kind of outage. */
export const describeOutage = ({ name, lastsMs, begin, end }: Outage): void => {
  describe.skipIf(withoutRedis)(`when Redis ${name}`, () => {
    it('reads, streams, polls, starts and the budget go on, and everything is as before when it is back', async () => {
      const fleet = await start(2)
      const { lemlist, gateways, pending, watch, all } = fleet
      const [a, b] = gateways
      if (a === undefined || b === undefined) throw new Error('there are two')
      lemlist.addCampaign('cam_Away')
      const done = pending()
      lemlist.finish(done.exportId)
      const [seen, onA, onB, onBoth] = [pending(), pending(), pending(), pending()]
      const streams = [watch(a, onA), watch(b, onB), watch(a, onBoth), watch(b, onBoth)]
      await Promise.all(streams.map((stream) => stream.waitFor(isState('pending'))))
      for (const gateway of gateways) {
        expect((await read(gateway, statusPath(done))).status).toBe(200)
        expect((await read(gateway, statusPath(seen))).status).toBe(200)
      }
      const early = await post(a, 'cam_Away', 'early')
      expect(early.status).toBe(201)
      const client = await bareClient({ url: fleet.storeUrl })

      const reading = keepReading(fleet, done, seen)
      await begin(fleet.redis(), client)
      const brokenAt = performance.now()
      await all('degraded')
      const refused = await post(b, 'cam_Away', 'while-away')
      expect([refused.status, JSON.parse(refused.text).code]).toEqual([503, 'store-unavailable'])
      expect(refused.ms).toBeLessThan(MOST_MS)
      const started = await post(a, 'cam_Away')
      expect(started.status).toBe(201)
      // During the outage each gateway still polls the exports that are watched on it.
      const polls = (ref: Ref) => (call: { exportId?: string | undefined }) =>
        call.exportId === ref.exportId
      const before = [onA, onB].map((ref) => lemlist.calls.filter(polls(ref)).length)
      await Promise.all(
        [onA, onB].map((ref, n) => lemlist.waitForCalls((before[n] ?? 0) + 1, polls(ref))),
      )
      lemlist.finish(onA.exportId)
      await streams[0]?.waitFor(isState('done'))
      await delay(Math.max(0, lastsMs - (performance.now() - brokenAt)))

      await end(fleet, client)
      await all('ready')
      // The gateways know the key of the early start again, even when Redis has lost it. The key whose
      // start was refused is free.
      expect(await post(b, 'cam_Away', 'early')).toMatchObject({ status: 201, text: early.text })
      expect((await post(b, 'cam_Away', 'while-away')).status).toBe(201)
      // The gateways have put the final and the start of the outage into Redis, for all replicas.
      const newcomer = await bareClient({ url: fleet.storeUrl })
      const { exportId } = JSON.parse(started.text)
      const keys = await newcomer.keys('leg:result:*')
      expect(keys.map((key) => key.split('/').at(-1))).toContain(onA.exportId)
      const rows = await newcomer.hKeys('leg:schedule:default:rows')
      expect(rows.map((key) => key.split('/').at(-1))).toContain(
        exportId ?? JSON.parse(started.text)._id,
      )
      // The replicas share the polls again, and every stream is told its end.
      const finishedAt = performance.now()
      for (const ref of [onB, onBoth]) lemlist.finish(ref.exportId)
      await Promise.all(streams.slice(1).map((stream) => stream.waitFor(isState('done'))))
      // A replica that knew of no watchers would look at the exports only after a minute.
      expect(performance.now() - finishedAt).toBeLessThan(15_000)
      expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(
        streams.map(() => 'clean'),
      )
      await reading.stop()

      const { cached, pending: seenPending, cold } = reading.reads
      expect(Math.min(cached.length, seenPending.length, cold.length)).toBeGreaterThan(4)
      expect(new Set(cached.map(({ status }) => status))).toEqual(new Set([200]))
      // No read gets a stale `pending`: the other replica may have shown the end already.
      const asking = [...seenPending, ...cold]
      expect(asking.map(({ code }) => code ?? 'none')).toEqual(
        asking.map(({ status }) => (status === 200 ? 'none' : 'budget-exhausted')),
      )
      expect(seenPending.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
      const slow = [...cached, ...asking].filter(({ ms }) => ms > MOST_MS)
      expect(slow).toEqual([])
      const times = lemlist.calls.map(({ at }) => at)
      expect(busiestWindow(times, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
      fleet.noSecrets()
    })
  })
}
