import { performance } from 'node:perf_hooks'
import { describe, expect, it } from 'vitest'
import { type RedisServer, startRedis, withoutRedis } from '../../helpers/redis.ts'
import { type BareClient, PATIENT_MS } from '../../helpers/redis-store.ts'
import { busiestWindow } from '../../helpers/windows.ts'
import { refOf, trackingOf } from '../records.ts'
import {
  configure,
  DEADLINE_MS,
  isAway,
  LIMITS,
  RESERVE,
  ref,
  replicaOn,
  setUp,
  soon,
  took,
  young,
} from './fixtures.ts'

interface Outage {
  readonly name: string
  /** How long the store waits for Redis. Only a stopped Redis makes it wait. Default 250 ms. */
  readonly deadlineMs?: number
  begin(redis: RedisServer, client: BareClient): Promise<unknown>
  /** Ends the outage and resolves to the Redis that is back. */
  end(redis: RedisServer, client: BareClient): Promise<RedisServer>
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'was killed and comes back empty',
    deadlineMs: PATIENT_MS,
    begin: (redis) => redis.kill(),
    end: ({ port }) => startRedis({ port }),
  },
  {
    name: 'was stopped',
    begin: async (redis) => redis.pause(),
    end: async (redis) => {
      redis.resume()
      return redis
    },
  },
  {
    name: 'was a replica that takes no writes',
    deadlineMs: PATIENT_MS,
    begin: (_, client) => client.sendCommand(['REPLICAOF', '127.0.0.1', '1']),
    end: async (redis, client) => {
      await client.sendCommand(['REPLICAOF', 'NO', 'ONE'])
      return redis
    },
  },
  {
    name: 'was full',
    deadlineMs: PATIENT_MS,
    begin: (_, client) => configure(client, 'maxmemory', '1mb'),
    end: async (redis, client) => {
      await configure(client, 'maxmemory', '0')
      return redis
    },
  },
]

describe.skipIf(withoutRedis).each(OUTAGES)(
  'a store whose Redis $name',
  ({ begin, end, deadlineMs }) => {
    it('waits for Redis once, within the deadline, and then answers from its own memory', async () => {
      const given = await setUp({ deadlineMs })
      const { store, redis, client } = given
      await store.results.put(ref, young('before'))
      await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() + 60_000 })])
      await begin(redis, client)
      expect((await took(isAway(given))).ms).toBeLessThan(DEADLINE_MS)
      const { ms, value } = await took(store.results.getMany([ref, refOf('exp_B')]))
      expect(value.map((record) => record?.kind)).toEqual(['final', undefined])
      expect(ms).toBeLessThan(200)
      expect(given.switches).toEqual(['away'])
    })

    it('brings to Redis what happened meanwhile, and what Redis may have lost', async () => {
      const given = await setUp({ deadlineMs })
      const { store, redis, client, prefix, isBack } = given
      await store.results.put(refOf('exp_before'), young('before'))
      await store
        .schedule('default')
        .track([trackingOf('exp_idle', { dueAt: Date.now() + 50_000 })])
      await store
        .schedule('default')
        .track([trackingOf('exp_ends', { dueAt: Date.now() + 50_000 })])
      for (const key of ['finishes', 'unknown', 'free', 'under-way', 'finished']) {
        expect(await store.idempotency.begin(key, soon())).toEqual({ state: 'yours' })
      }
      await store.idempotency.finish('finished', Buffer.from('early'))

      await begin(redis, client)
      await isAway(given)
      await store.results.put(refOf('exp_meanwhile'), young('meanwhile'))
      await store
        .schedule('default')
        .track([trackingOf('exp_new', { origin: 'started', dueAt: Date.now() + 9_000 })])
      await store.schedule('default').track([trackingOf('exp_idle', { dueAt: Date.now() + 1_000 })])
      await store.schedule('default').untrack(refOf('exp_ends'))
      await store.idempotency.finish('finishes', Buffer.from('late'))
      await store.idempotency.giveUp('unknown')
      await store.idempotency.forget('free')
      await expect(store.idempotency.begin('new', soon())).rejects.toThrow('away')

      const ofSales = refOf('exp_sales', 'sales')
      await store.schedule('sales').track([trackingOf('exp_sales', { ref: ofSales })])

      const back = await end(redis, client)
      await isBack()
      const other = await replicaOn(back.url, prefix)
      expect((await other.schedule('sales').find([ofSales]))[0]).toMatchObject({
        origin: 'pending',
      })
      expect((await other.schedule('default').find([ofSales]))[0]).toBeUndefined()
      for (const name of ['before', 'meanwhile']) {
        const record = await other.results.get(refOf(`exp_${name}`))
        expect(record).toMatchObject({ kind: 'final', snapshot: { version: `v-${name}` } })
      }
      expect((await other.schedule('default').find([refOf('exp_new')]))[0]).toMatchObject({
        origin: 'started',
      })
      expect((await other.schedule('default').find([refOf('exp_ends')]))[0]).toBeUndefined()
      const { dueAt = 0 } = (await other.schedule('default').find([refOf('exp_idle')]))[0] ?? {}
      expect(dueAt - Date.now()).toBeLessThan(2_000)
      const states = ['finishes', 'unknown', 'free', 'under-way', 'finished', 'new'].map(
        async (key) => (await other.idempotency.begin(key, soon())).state,
      )
      expect(await Promise.all(states)).toEqual([
        'finished',
        'unknown',
        'yours',
        'in-progress',
        'finished',
        'yours',
      ])
    })

    it('lets no call leave for a window at each switch, and only its share in between', async () => {
      const given = await setUp({ deadlineMs })
      const { store, redis, client, isBack } = given
      const times: number[] = []
      let done = false
      const spend = async () => {
        while (!done) {
          const waitMs = await store.budget.take('default')
          if (waitMs === 0) times.push(performance.now())
          else await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 20)))
        }
      }
      const spending = spend()
      await expect.poll(() => times.length, { timeout: 5_000 }).toBeGreaterThan(20)
      await begin(redis, client)
      await expect.poll(() => given.switches, { timeout: 5_000 }).toEqual(['away'])
      const [awayAt = 0] = given.switchedAt
      await expect
        .poll(() => times.filter((at) => at > awayAt).length, { timeout: 5_000 })
        .toBeGreaterThan(2 * RESERVE)
      const beforeBack = times.length
      await end(redis, client)
      await isBack()
      await expect.poll(() => times.length, { timeout: 5_000 }).toBeGreaterThan(beforeBack + 20)
      done = true
      await spending

      const away = times.filter((at) => at > awayAt && at <= (times[beforeBack - 1] ?? 0))
      expect((away[0] ?? 0) - awayAt).toBeGreaterThan(LIMITS.windowMs * 0.9 - 50)
      expect(busiestWindow(away, LIMITS.windowMs)).toBeLessThanOrEqual(RESERVE)
      expect(busiestWindow(times, LIMITS.windowMs - 20)).toBeLessThanOrEqual(LIMITS.calls)
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
      expect(gaps.filter((ms) => ms > LIMITS.windowMs * 0.95).length).toBeGreaterThanOrEqual(2)
    })
  },
)
