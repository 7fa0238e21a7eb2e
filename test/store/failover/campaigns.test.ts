import { describe, expect, it } from 'vitest'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { refOf, trackingOf } from '../records.ts'
import { isAway, replicaOn, setUp, young } from './fixtures.ts'

const { account, campaignId } = refOf('exp_A')
const campaign = { account, campaignId }

const idsOf = (listed: readonly { readonly ref: { readonly exportId: string } }[]): string[] =>
  listed.map(({ ref }) => ref.exportId)

describe.skipIf(withoutRedis)('the list of a campaign while Redis is away', () => {
  it("is this replica's knowledge, and the fleet's again when Redis is back", async () => {
    const given = await setUp()
    const { store, redis, prefix, isBack } = given
    const schedule = store.schedule('default')
    await store.results.put(refOf('exp_A'), young('a'), 1)
    await schedule.track([trackingOf('exp_B', { firstSeenAt: 2 })])
    const other = await replicaOn(redis.url, prefix)
    await other.results.put(refOf('exp_Theirs'), young('theirs'), 3)
    expect(idsOf(await store.results.newest(campaign, 9))).toEqual(['exp_Theirs', 'exp_A'])
    await redis.kill()
    await isAway(given)
    await store.results.put(refOf('exp_C'), young('c'), 4)
    await schedule.track([trackingOf('exp_D', { firstSeenAt: 5 })])
    expect(idsOf(await store.results.newest(campaign, 9))).toEqual(['exp_C', 'exp_A'])
    // `isAway` tracks one that is seen later than all others.
    expect(idsOf(await schedule.newest(campaign, 9))).toEqual(['exp_met', 'exp_D', 'exp_B'])
    await schedule.untrack(refOf('exp_met'))
    expect(idsOf(await schedule.newest(campaign, 9))).toEqual(['exp_D', 'exp_B'])
    await startRedis({ port: redis.port })
    await isBack()
    const third = await replicaOn(redis.url, prefix)
    expect(await third.results.newest(campaign, 9)).toMatchObject([
      { ref: refOf('exp_C'), firstSeenAt: 4 },
      { ref: refOf('exp_A'), firstSeenAt: 1 },
    ])
    expect(idsOf(await third.schedule('default').newest(campaign, 9))).toEqual(['exp_D', 'exp_B'])
  })
})
