import { describe, expect, it } from 'vitest'
import { withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { finalOf, HOUR, refOf, trackingOf } from '../records.ts'

const { account, campaignId } = refOf('exp_A')
const campaign = { account, campaignId }

const living = (text: string, lifeMs = 24 * HOUR) => {
  const { snapshot, ...record } = finalOf(text)
  const endOfLife = Date.now() + lifeMs
  return { ...record, snapshot: { ...snapshot, endOfLife }, forgetAt: endOfLife + 24 * HOUR }
}

describe.skipIf(withoutRedis)('the list of a campaign in Redis', () => {
  const server = sharedRedis()
  const setUp = async () => {
    const prefix = freshPrefix()
    const { store } = await openRedisStore({ url: server().url, prefix })
    const client = await bareClient(server())
    const listed = `${prefix}:campaign:${account}/${campaignId}`
    const followed = `${prefix}:schedule:${account}:campaign:${campaignId}`
    const idsNow = async () =>
      (await store.results.newest(campaign, 100)).map(({ ref }) => ref.exportId)
    return { store, client, listed, followed, idsNow }
  }

  it('is the same for another replica', async () => {
    const prefix = freshPrefix()
    const one = await openRedisStore({ url: server().url, prefix })
    const other = await openRedisStore({ url: server().url, prefix })
    await one.store.results.put(refOf('exp_A'), living('a'), 5)
    await one.store.schedule('default').track([trackingOf('exp_B', { origin: 'started' })])
    expect(await other.store.results.newest(campaign, 5)).toMatchObject([
      { ref: refOf('exp_A'), firstSeenAt: 5 },
    ])
    const followed = await other.store.schedule('default').newest(campaign, 5)
    expect(followed.map(({ ref }) => ref.exportId)).toEqual(['exp_B'])
  })

  it('holds the thousand newest', async () => {
    const { store, client, listed, idsNow } = await setUp()
    const members = Array.from({ length: 1_005 }, (_, n) => ({ score: n, value: `exp_old${n}` }))
    await client.zAdd(listed, members)
    await store.results.put(refOf('exp_A'), living('a'), 2_000)
    expect(await client.zCard(listed)).toBe(1_000)
    expect(await idsNow()).toEqual(['exp_A'])
    // What has no result any more is taken out as soon as it is met.
    expect(await client.zCard(listed)).toBe(1)
  })

  it('lives as long as the record that lives longest', async () => {
    const { store, client, listed } = await setUp()
    await store.results.put(refOf('exp_A'), living('a', 20 * HOUR))
    await store.results.put(refOf('exp_B'), living('b', 10 * HOUR))
    const leftMs = await client.pTTL(listed)
    expect(leftMs).toBeGreaterThan(19 * HOUR)
    expect(leftMs).toBeLessThanOrEqual(20 * HOUR)
  })

  it('of what is followed goes after a day in which nobody served the account', async () => {
    const { store, client, followed } = await setUp()
    await store.schedule('default').track([trackingOf('exp_A')])
    expect(await client.pTTL(followed)).toBeGreaterThan(23 * HOUR)
    expect(await client.pTTL(followed)).toBeLessThanOrEqual(24 * HOUR)
  })

  it('of what is followed holds nothing that is followed no more', async () => {
    const { store, client, followed } = await setUp()
    const schedule = store.schedule('default')
    await schedule.track([trackingOf('exp_A'), trackingOf('exp_B')])
    await schedule.untrack(refOf('exp_A'))
    expect(await client.zRange(followed, 0, -1)).toEqual(['exp_B'])
  })

  it('is made anew where another program has put a value', async () => {
    const { store, client, listed, followed, idsNow } = await setUp()
    await client.set(listed, 'hello')
    await client.hSet(followed, 'hello', 'world')
    await store.results.put(refOf('exp_A'), living('a'))
    const schedule = store.schedule('default')
    expect(await schedule.newest(campaign, 5)).toEqual([])
    await schedule.track([trackingOf('exp_B')])
    expect(await idsNow()).toEqual(['exp_A'])
    expect(await schedule.newest(campaign, 5)).toHaveLength(1)
  })

  it('ignores members that no gateway has written', async () => {
    const { store, client, listed, followed, idsNow } = await setUp()
    await store.results.put(refOf('exp_A'), living('a'))
    await store.schedule('default').track([trackingOf('exp_B')])
    const junk = { score: Number.POSITIVE_INFINITY, value: '../etc/passwd' }
    await client.zAdd(listed, junk)
    await client.zAdd(followed, junk)
    expect(await idsNow()).toEqual(['exp_A'])
    expect(await store.schedule('default').newest(campaign, 5)).toHaveLength(1)
  })
})
