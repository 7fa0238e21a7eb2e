import { describe, expect, it, vi } from 'vitest'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { HOUR, refOf, trackingOf } from '../records.ts'
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
    return { one: one.schedule('default'), two: two.schedule('default'), prefix: at.prefix }
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

  it('asks to be asked again at once when more than it reads turn out to be of a dead replica', async () => {
    // Regression: it named a later time, so each second only some hundred of them were dropped, and
    // what was due behind them waited.
    const { one, two } = await openTwo(200)
    const now = Date.now()
    const ids = Array.from({ length: 700 }, (_, n) => `exp_${n}`)
    await one.adopt(ids.map((id) => trackingOf(id, { origin: 'watched', dueAt: now - 1_000 })))
    const room = { ...roomFor(0), unconfirmed: 1 }
    for (let claim = 0; claim < 2; claim += 1) await two.claim(Date.now(), room)
    await vi.waitFor(async () => {
      expect(await findOne(two, 'exp_699')).toMatchObject({ watched: false })
    })
    const { claims, nextDueAt } = await two.claim(Date.now(), roomFor(10))
    expect(claims).toEqual([])
    expect(nextDueAt).toBeLessThanOrEqual(Date.now())
  })

  it('takes a row of an older version for one that was looked at an interval before its due time', async () => {
    const { one, prefix } = await openTwo()
    const now = Date.now()
    const old = { dueAt: now, intervalMs: 5_000, origin: 'pending', misses: 0, failures: 0 }
    const text = JSON.stringify({ ...old, agedLooks: 0, firstSeenAt: now, queue: 'idle' })
    const client = await bareClient(server())
    const key = 'default/cam_A1/exp_A'
    await client.hSet(`${prefix}:schedule:default:rows`, key, text)
    await client.zAdd(`${prefix}:schedule:default:idle`, { score: now, value: key })
    await one.track([trackingOf('exp_B', { dueAt: now, lookedAt: now - 6_000 })])
    const { claims } = await one.claim(now + 1_000, roomFor(10))
    expect(idsOf(claims)).toEqual(['exp_B', 'exp_A'])
    const { dueAt = 0, lookedAt = 0 } = claims[1] ?? {}
    expect(dueAt - lookedAt).toBe(5_000)
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
    await slow.schedule('default').adopt([unconfirmed(Date.now())])
    await watchAll(fast.schedule('default'), ['exp_B'])
    expect(await findOne(fast.schedule('default'), 'exp_A')).toMatchObject({ watched: true })
    const client = await bareClient(server())
    expect(await client.pTTL(`${at.prefix}:schedule:default:watchers`)).toBeGreaterThan(120_000)
  })

  it('takes a replica for dead that counts as watching for longer than it may', async () => {
    const { one, two, prefix } = await openTwo()
    await one.track([trackingOf('exp_A')])
    await watchAll(one, ['exp_A'])
    const client = await bareClient(server())
    const [replica = ''] = await client.zRange(`${prefix}:schedule:default:watchers`, 0, 0)
    // The clock of Redis was set back by an hour.
    const score = Date.now() + 3_600_000
    await client.zAdd(`${prefix}:schedule:default:watchers`, { value: replica, score })
    await watchAll(two, ['exp_B'])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: false })
  })

  it('runs calls in the order in which they are made, also the first ones on a new server', async () => {
    // Regression: the first `unwatch` ran after the `adopt` behind it, and dropped its export.
    const { url } = await startRedis()
    const { store } = await openRedisStore({ url, prefix: freshPrefix() })
    const adopt = () => store.schedule('default').adopt([unconfirmed(Date.now())])
    await adopt()
    await Promise.all([store.schedule('default').unwatch([ref]), adopt()])
    expect(await findOne(store.schedule('default'), 'exp_A')).toMatchObject({ watched: true })
  })

  it('claims no export twice, however long a claim holds', async () => {
    // Regression: with a long deadline for calls, a claim looked like a due time from before the
    // clock of Redis was set back.
    const at = { url: server().url, prefix: freshPrefix(), visibilityMs: 600_000 }
    const { store } = await openRedisStore(at)
    await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() })])
    expect(
      (await store.schedule('default').claim(Date.now() + 10, roomFor(1))).claims,
    ).toHaveLength(1)
    expect(
      (await store.schedule('default').claim(Date.now() + 10, roomFor(1))).claims,
    ).toHaveLength(0)
  })

  it('no longer counts an export as watched when the heartbeat of its replica does not name it', async () => {
    const { one, two } = await openTwo()
    await one.track([trackingOf('exp_A'), trackingOf('exp_B')])
    await watchAll(one, ['exp_A', 'exp_B'])
    await one.renew(() => [ref])
    expect(await findOne(two, 'exp_A')).toMatchObject({ watched: true })
    expect(await findOne(two, 'exp_B')).toMatchObject({ watched: false })
  })

  it('drops the exports of an account after a day in which nobody serves it', async () => {
    const at = { url: server().url, prefix: freshPrefix() }
    const { store } = await openRedisStore(at)
    const client = await bareClient(server())
    const schedule = store.schedule('sales')
    await schedule.adopt([
      trackingOf('exp_A', { ref: refOf('exp_A', 'sales'), origin: 'watched' }),
      trackingOf('exp_B', { ref: refOf('exp_B', 'sales') }),
    ])
    await schedule.track([trackingOf('exp_C', { ref: refOf('exp_C', 'sales') })])
    await schedule.claim(Date.now(), roomFor(1))
    const keys = await client.keys(`${at.prefix}:*sales*`)
    expect(keys.length).toBeGreaterThanOrEqual(5)
    for (const key of keys) {
      const leftMs = await client.pTTL(key)
      expect(leftMs, key).toBeGreaterThan(0)
      expect(leftMs, key).toBeLessThanOrEqual(24 * HOUR)
    }
  })
})
