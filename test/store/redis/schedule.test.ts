import { describe, expect, it, vi } from 'vitest'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { refOf, trackingOf } from '../records.ts'
import { findOne, idsOf, roomFor, watchAll } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')
const unconfirmed = (now: number) => trackingOf('exp_A', { origin: 'watched', dueAt: now })

describe.skipIf(withoutRedis)('the schedule of a fleet', () => {
  const server = sharedRedis()
  /**
   * Opens the stores of two replicas. When the first one does not renew for `watchMs` milliseconds,
   * Redis forgets what it watches.
   */
  const openTwo = async (watchMs?: number) => {
    const at = { url: server().url, prefix: freshPrefix() }
    const { store: one } = await openRedisStore({ ...at, ...(watchMs && { watchMs }) })
    const { store: two } = await openRedisStore(at)
    return { one: one.schedule, two: two.schedule, prefix: at.prefix }
  }

  it('keeps an unconfirmed export until its watchers on all replicas have left', async () => {
    const { one, two } = await openTwo()
    await one.adopt([unconfirmed(Date.now())])
    await two.adopt([unconfirmed(Date.now())])
    await one.unwatch([ref])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: true })
    await two.unwatch([ref])
    expect(await findOne(two, 'exp_A')).toBeUndefined()
  })

  it('keeps an export watched while somebody watches it on another replica', async () => {
    const { one, two } = await openTwo()
    await one.track([trackingOf('exp_A', { dueAt: Date.now() })])
    await watchAll(one, ['exp_A'])
    await watchAll(two, ['exp_A'])
    await one.unwatch([ref])
    expect(await findOne(one, 'exp_A')).toMatchObject({ watched: true })
    await two.unwatch([ref])
    expect(await findOne(one, 'exp_A')).toMatchObject({ watched: false })
  })

  it('forgets what a dead replica watched', async () => {
    const { one, two } = await openTwo(50)
    const now = Date.now()
    await one.track([trackingOf('exp_B', { dueAt: now })])
    await watchAll(one, ['exp_B'])
    await one.adopt([unconfirmed(now)])
    await vi.waitFor(async () => {
      expect(await findOne(two, 'exp_B')).toMatchObject({ watched: false })
    })
    const { claims } = await two.claim(Date.now() + 1_000, roomFor(10))
    expect(claims.map(({ callClass }) => callClass)).toEqual(['idle'])
    expect(idsOf(claims)).toEqual(['exp_B'])
    expect(await findOne(two, 'exp_A')).toBeUndefined()
  })

  it('knows again what a replica watches after its next heartbeat, when Redis has lost it', async () => {
    const { one, two, prefix } = await openTwo()
    await one.track([trackingOf('exp_A'), trackingOf('exp_B')])
    await watchAll(one, ['exp_A', 'exp_B'])
    const client = await bareClient(server())
    for (const key of await client.keys(`${prefix}*:watch:*`)) await client.del(key)
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: false })
    await one.renew(() => [ref, refOf('exp_B')])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: true })
    expect(await findOne(two, 'exp_B')).toMatchObject({ watched: true })
  })

  it('keeps an export watched that somebody begins to watch during a heartbeat', async () => {
    // Regression: the heartbeat un-watched what had joined since it began, and dropped its row.
    const { one } = await openTwo()
    await watchAll(one, ['exp_A', 'exp_over'])
    let here = [ref]
    const renewed = one.renew(() => here)
    here = [ref, refOf('exp_new')]
    await one.adopt([trackingOf('exp_new', { origin: 'watched' })])
    await renewed
    expect(await findOne(one, 'exp_new')).toMatchObject({ origin: 'watched', watched: true })
  })

  it('tells a late heartbeat what it had lost, also when a watcher came just before', async () => {
    // Regression: another replica dropped an unconfirmed row, and the late heartbeat heard of nothing.
    const { one, two } = await openTwo(50)
    await one.adopt([unconfirmed(Date.now())])
    await vi.waitFor(async () => {
      expect(await findOne(two, 'exp_A')).toMatchObject({ watched: false })
    })
    await two.claim(Date.now() + 1_000, roomFor(10))
    expect(await findOne(two, 'exp_A')).toBeUndefined()
    await watchAll(one, ['exp_new'])
    expect(await one.renew(() => [ref, refOf('exp_new')])).toContainEqual(ref)
  })

  it('lets a replica watch for its own time, whatever the heartbeat of another replica is', async () => {
    // Regression: a replica with a short heartbeat removed the one with a longer heartbeat.
    const at = { url: server().url, prefix: freshPrefix() }
    const { store: slow } = await openRedisStore({ ...at, watchMs: 120_000 })
    const { store: fast } = await openRedisStore({ ...at, watchMs: 20_000 })
    await slow.schedule.adopt([unconfirmed(Date.now())])
    await watchAll(fast.schedule, ['exp_B'])
    expect(await findOne(fast.schedule, 'exp_A')).toMatchObject({ watched: true })
    const client = await bareClient(server())
    expect(await client.pTTL(`${at.prefix}:schedule:watchers`)).toBeGreaterThan(120_000)
  })

  it('takes a replica for dead that counts as watching for longer than it may', async () => {
    const { one, two, prefix } = await openTwo()
    await one.track([trackingOf('exp_A')])
    await watchAll(one, ['exp_A'])
    const client = await bareClient(server())
    const [replica = ''] = await client.zRange(`${prefix}:schedule:watchers`, 0, 0)
    // The clock of Redis was set back by an hour.
    const score = Date.now() + 3_600_000
    await client.zAdd(`${prefix}:schedule:watchers`, { value: replica, score })
    await watchAll(two, ['exp_B'])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: false })
  })

  it('runs calls in the order in which they are made, also the first ones on a new server', async () => {
    // Regression: the first `unwatch` ran after the `adopt` behind it, and dropped its export.
    const { url } = await startRedis()
    const { store } = await openRedisStore({ url, prefix: freshPrefix() })
    const adopt = () => store.schedule.adopt([unconfirmed(Date.now())])
    await adopt()
    await Promise.all([store.schedule.unwatch([ref]), adopt()])
    expect(await findOne(store.schedule, 'exp_A')).toMatchObject({ watched: true })
  })

  it('claims no export twice, however long a claim holds', async () => {
    // Regression: with a long deadline for calls, a claim looked like a due time from before the
    // clock of Redis was set back.
    const at = { url: server().url, prefix: freshPrefix(), visibilityMs: 600_000 }
    const { store } = await openRedisStore(at)
    await store.schedule.track([trackingOf('exp_A', { dueAt: Date.now() })])
    expect((await store.schedule.claim(Date.now() + 10, roomFor(1))).claims).toHaveLength(1)
    expect((await store.schedule.claim(Date.now() + 10, roomFor(1))).claims).toHaveLength(0)
  })

  it('no longer counts an export as watched when the heartbeat of its replica does not name it', async () => {
    const { one, two } = await openTwo()
    await one.track([trackingOf('exp_A'), trackingOf('exp_B')])
    await watchAll(one, ['exp_A', 'exp_B'])
    await one.renew(() => [ref])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: true })
    expect(await findOne(two, 'exp_B')).toMatchObject({ watched: false })
  })

  it('takes over the exports that an older version followed', async () => {
    const at = { url: server().url, prefix: freshPrefix() }
    const client = await bareClient(server())
    const { store: probe } = await openRedisStore(at)
    await probe.schedule.track([trackingOf('exp_probe')])
    const [key = ''] = await client.keys(`${at.prefix}*schedule:rows`)
    const base = key.slice(0, -'schedule:rows'.length)
    const dueAt = Date.now()
    const row = {
      ...{ dueAt, intervalMs: 5_000, origin: 'pending', misses: 1, failures: 0 },
      ...{ firstSeenAt: dueAt - 60_000, watchedUntil: dueAt + 60_000, token: 'old:1' },
    }
    const followed = Array.from({ length: 1_200 }, (_, n) => `default/cam_abc/exp_${n}`)
    await client.zAdd(
      `${base}due`,
      followed.map((value) => ({ value, score: dueAt })),
    )
    await client.hSet(
      `${base}rows`,
      Object.fromEntries(followed.map((name) => [name, JSON.stringify(row)])),
    )
    const watchedOnly = JSON.stringify({ ...row, origin: 'watched' })
    await client.zAdd(`${base}due`, { value: 'default/cam_abc/exp_unknown', score: dueAt })
    await client.hSet(`${base}rows`, 'default/cam_abc/exp_unknown', watchedOnly)

    const { store } = await openRedisStore(at)
    await store.schedule.migrate()
    const found = await store.schedule.find(
      ['exp_0', 'exp_1199', 'exp_unknown'].map((exportId) => ({
        ...{ account: 'default', campaignId: 'cam_abc', exportId },
      })),
    )
    expect(found).toMatchObject([{ misses: 1, origin: 'pending' }, { watched: false }, undefined])
    expect(await client.exists([`${base}due`, `${base}rows`])).toBe(0)
    const { claims } = await store.schedule.claim(Date.now() + 1_000, roomFor(10))
    expect(claims.filter(({ ref: { campaignId } }) => campaignId === 'cam_abc')).toHaveLength(9)
  })
})
