import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Update } from '../../../src/exports/ports.ts'
import { openStore } from '../../../src/store/open.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix } from '../../helpers/redis-store.ts'
import { trackingOf } from '../records.ts'
import { roomFor } from '../schedule-fixtures.ts'
import {
  configure,
  isAway,
  LIMITS,
  openOn,
  ref,
  replicaOn,
  setUp,
  took,
  VISIBILITY_MS,
  young,
} from './fixtures.ts'

describe.skipIf(withoutRedis)('a store on a Redis that goes away', () => {
  it('starts without Redis and uses it when it comes', async () => {
    const redis = await startRedis()
    await redis.kill()
    const prefix = freshPrefix()
    const { ms, value } = await took(openOn(redis.url, prefix))
    expect(ms).toBeLessThan(1_500)
    expect(await value.store.healthy()).toBe(false)
    await value.store.schedule('default').track([trackingOf('exp_A')])
    await startRedis({ port: redis.port })
    await value.isBack()
    const other = await replicaOn(redis.url, prefix)
    expect((await other.schedule('default').find([ref]))[0]).toMatchObject({ origin: 'pending' })
  })

  it('warns at the start of a Redis that may evict, and of no other', async () => {
    const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    expect((await openOn(redis.url, freshPrefix())).policies).toEqual(['allkeys-lru'])
    await configure(await bareClient(redis), 'maxmemory-policy', 'noeviction')
    expect((await openOn(redis.url, freshPrefix())).policies).toEqual([])
  })

  // Regression: the store forgot a pause of lemlist when it switched.
  it('keeps a pause that lemlist asked for over both switches', async () => {
    const given = await setUp()
    const { store, redis, prefix, isBack } = given
    await store.budget.pause('default', 60_000)
    await redis.kill()
    await isAway(given)
    expect(await store.budget.take('default')).toBeGreaterThan(50_000)
    await startRedis({ port: redis.port })
    await isBack()
    expect(await store.budget.take('default')).toBeGreaterThan(50_000)
    const other = await replicaOn(redis.url, prefix)
    expect(await other.budget.take('default')).toBeGreaterThan(50_000)
  })

  // Regression: the call that found Redis gone took a slot of the new share after a full window.
  it('gives no slot to the call that finds Redis gone', async () => {
    const { store, redis } = await setUp()
    await redis.kill()
    expect(await store.budget.take('default')).toBeGreaterThan(LIMITS.windowMs / 2)
    expect(store.budget.patienceMs?.()).toBeLessThan(250)
  })

  it('follows an export by itself when a watcher joins and only Redis knows that it is tracked', async () => {
    const { store, redis, prefix } = await setUp()
    const other = await replicaOn(redis.url, prefix)
    await other.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() + 60_000 })])
    await redis.kill()
    const dueBy = Date.now() + 5
    await store.schedule('default').watch([{ ref, dueBy }])
    const { claims } = await store.schedule('default').claim(dueBy, roomFor(5))
    expect(claims.map((claim) => claim.ref)).toEqual([ref])
  })

  it('brings to Redis the plan of a look that ended while Redis was stopped', async () => {
    const given = await setUp()
    const { store, redis, prefix, isBack } = given
    await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 1 })])
    const [claim] = (await store.schedule('default').claim(Date.now() + 5, roomFor(1))).claims
    if (claim === undefined) throw new Error('nothing is due')
    redis.pause()
    await store.schedule('default').reschedule(claim, { ...claim, dueAt: Date.now() + 1_000 })
    redis.resume()
    await isBack()
    const other = await replicaOn(redis.url, prefix)
    const { dueAt = 0 } = (await other.schedule('default').find([ref]))[0] ?? {}
    expect(dueAt - Date.now()).toBeLessThan(VISIBILITY_MS / 2)
  })

  it('tells no log a password that Redis refuses, and goes on without Redis', async () => {
    const redis = await startRedis({ args: ['--requirepass', 'right-password-canary'] })
    const errors: unknown[] = []
    const url = redis.url.replace('://', '://:wrong-password-canary@')
    const store = await openStore(url, {
      limits: LIMITS,
      visibilityMs: VISIBILITY_MS,
      storeFailed: (_, error) => void errors.push(error),
    })
    onTestFinished(() => store.close())
    await store.ready?.().catch((error: unknown) => void errors.push(error))
    expect(errors).toHaveLength(1)
    expect(await store.results.get(ref)).toBeUndefined()
    expect(await store.healthy()).toBe(false)
    expect(errors).toHaveLength(2)
    const said = errors.map((error) => inspect(error, { depth: 10, showHidden: true })).join('\n')
    expect(said).toMatch(/WRONGPASS|password/i)
    expect(said).not.toContain('canary')
  })

  it('tells the other replicas the finals that came while Redis was away for this one', async () => {
    const given = await setUp()
    const { store, redis, client, prefix, isBack } = given
    const other = await replicaOn(redis.url, prefix)
    const heard: Update[] = []
    other.updates.listen((_, update) => void heard.push(update))
    const channel = `${prefix}:updates`
    await expect.poll(() => client.pubSubNumSub(channel)).toMatchObject({ [channel]: 2 })
    await configure(client, 'maxmemory', '1mb')
    await isAway(given)
    await store.results.put(ref, young('meanwhile'))
    await configure(client, 'maxmemory', '0')
    await isBack()
    await expect.poll(() => heard).toMatchObject([{ snapshot: { version: 'v-meanwhile' } }])
  })

  it('puts 20 000 tracked exports into a Redis that comes back empty', async () => {
    const { store, redis, prefix, isBack } = await setUp()
    const many = Array.from({ length: 20_000 }, (_, n) => trackingOf(`exp_${n}`))
    for (let from = 0; from < many.length; from += 500) {
      await store.schedule('default').track(many.slice(from, from + 500))
    }
    await redis.kill()
    await isAway({ store })
    await startRedis({ port: redis.port })
    await isBack()
    const client = await bareClient(redis)
    expect(await client.hLen(`${prefix}:schedule:default:rows`)).toBe(20_001)
  })
})
