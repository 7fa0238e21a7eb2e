import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../src/exports/export.ts'
import type { Store } from '../../src/exports/ports.ts'
import { type Clock, closedAfterTest, createClock } from './fixtures.ts'
import { finalOf, HOUR, refOf, START, timedOut, trackingOf } from './records.ts'
import { watchAll } from './schedule-fixtures.ts'

const { account, campaignId } = refOf('exp_A')
const campaign = { account, campaignId }
const elsewhere = { account, campaignId: 'cam_B2' }

const idsOf = (listed: readonly { readonly ref: ExportRef }[]): string[] =>
  listed.map(({ ref }) => ref.exportId)

/** What every store promises of the lists of campaigns. `open` makes an empty store on this clock. */
export const describeNewest = (name: string, open: (clock: Clock) => Store): void => {
  const setUp = () => {
    const clock = createClock()
    const store = closedAfterTest(open(clock))
    return { clock, results: store.results, schedule: store.schedule('default') }
  }

  describe(`the results of a campaign in ${name}`, () => {
    it('are those first seen last first, whatever the order in which they came', async () => {
      const { results } = setUp()
      await results.put(refOf('exp_B'), finalOf('b'), START - 2_000)
      await results.put(refOf('exp_A'), finalOf('a', 'error'), START - 3_000)
      await results.put(refOf('exp_C'), timedOut, START - 1_000)
      expect(await results.newest(campaign, 10)).toMatchObject([
        { ref: refOf('exp_C'), firstSeenAt: START - 1_000, record: timedOut },
        { ref: refOf('exp_B'), firstSeenAt: START - 2_000, record: { kind: 'final' } },
        {
          ref: refOf('exp_A'),
          firstSeenAt: START - 3_000,
          record: { snapshot: { state: 'error', version: 'v-a' } },
        },
      ])
      expect(idsOf(await results.newest(campaign, 2))).toEqual(['exp_C', 'exp_B'])
    })

    it('were first seen when lemlist said them, if nobody says when', async () => {
      const { results } = setUp()
      await results.put(refOf('exp_A'), finalOf('a'))
      await results.put(refOf('exp_B'), timedOut)
      const seen = (await results.newest(campaign, 10)).map(({ firstSeenAt }) => firstSeenAt)
      expect(seen).toEqual([START, START])
    })

    it('are none of another campaign or account, and none where nothing was put', async () => {
      const { results } = setUp()
      await results.put({ ...refOf('exp_A'), campaignId: 'cam_B2' }, finalOf('a'))
      await results.put({ ...refOf('exp_B'), campaignId: 'cam_A12' }, finalOf('b'))
      await results.put(refOf('exp_C', 'theirs'), finalOf('c'))
      expect(await results.newest(campaign, 10)).toEqual([])
      expect(idsOf(await results.newest(elsewhere, 10))).toEqual(['exp_A'])
      expect(idsOf(await results.newest({ ...campaign, account: 'theirs' }, 10))).toEqual(['exp_C'])
    })

    it('have the final one when it comes after a timed-out one, in its place', async () => {
      const { results } = setUp()
      await results.put(refOf('exp_A'), timedOut, START - 5_000)
      await results.put(refOf('exp_B'), finalOf('b'), START - 4_000)
      await results.put(refOf('exp_A'), finalOf('a'), START - 5_000)
      const listed = await results.newest(campaign, 10)
      expect(idsOf(listed)).toEqual(['exp_B', 'exp_A'])
      expect(listed.map(({ record }) => record.kind)).toEqual(['final', 'final'])
    })

    it('leave the list at the end of their life, and do not make it shorter for others', async () => {
      const { clock, results } = setUp()
      for (let n = 0; n < 10; n += 1) {
        const { snapshot, ...record } = finalOf(`${n}`)
        // The newest ones end first.
        const endOfLife = START + (n < 5 ? 24 : 12) * HOUR
        await results.put(refOf(`exp_${n}`), { ...record, snapshot: { ...snapshot, endOfLife } }, n)
      }
      expect(idsOf(await results.newest(campaign, 2))).toEqual(['exp_9', 'exp_8'])
      clock.advance(12 * HOUR)
      for (const _ of [1, 2]) {
        expect(idsOf(await results.newest(campaign, 2))).toEqual(['exp_4', 'exp_3'])
        expect(idsOf(await results.newest(campaign, 10))).toHaveLength(5)
      }
      clock.advance(12 * HOUR)
      expect(await results.newest(campaign, 10)).toEqual([])
    })

    it('are the newest of many', async () => {
      const { results } = setUp()
      const many = Array.from({ length: 400 }, (_, n) => n)
      await Promise.all(many.map((n) => results.put(refOf(`exp_${n}`), finalOf(`${n}`), START - n)))
      const first = many.slice(0, 100).map((n) => `exp_${n}`)
      expect(idsOf(await results.newest(campaign, 100))).toEqual(first)
    })
  })

  describe(`the tracked exports of a campaign in ${name}`, () => {
    it('are those first seen last first, until they are tracked no more', async () => {
      const { schedule } = setUp()
      const ages = { exp_B: 2_000, exp_C: 1_000, exp_A: 3_000 }
      const trackings = Object.entries(ages).map(([id, ms]) =>
        trackingOf(id, { firstSeenAt: START - ms, origin: 'started' }),
      )
      await schedule.track(trackings)
      await watchAll(schedule, ['exp_B'])
      expect(await schedule.newest(campaign, 10)).toMatchObject([
        { ref: refOf('exp_C'), firstSeenAt: START - 1_000, origin: 'started', watched: false },
        { ref: refOf('exp_B'), firstSeenAt: START - 2_000, watched: true },
        { ref: refOf('exp_A'), firstSeenAt: START - 3_000 },
      ])
      expect(idsOf(await schedule.newest(campaign, 1))).toEqual(['exp_C'])
      await schedule.untrack(refOf('exp_C'))
      expect(idsOf(await schedule.newest(campaign, 10))).toEqual(['exp_B', 'exp_A'])
    })

    it('have none that is only watched, until lemlist has confirmed it', async () => {
      const { schedule } = setUp()
      await schedule.adopt([trackingOf('exp_A', { origin: 'watched' })])
      expect(await schedule.newest(campaign, 10)).toEqual([])
      await schedule.track([trackingOf('exp_A')])
      expect(idsOf(await schedule.newest(campaign, 10))).toEqual(['exp_A'])
    })

    it('move when it turns out that one was seen earlier', async () => {
      const { schedule } = setUp()
      await schedule.track([trackingOf('exp_A'), trackingOf('exp_B', { firstSeenAt: START - 1 })])
      await schedule.track([trackingOf('exp_A', { firstSeenAt: START - 2 })])
      await schedule.track([trackingOf('exp_A', { firstSeenAt: START })])
      expect(idsOf(await schedule.newest(campaign, 10))).toEqual(['exp_B', 'exp_A'])
    })

    it('are none of another campaign, and stay when they are claimed', async () => {
      const { schedule } = setUp()
      await schedule.track([
        trackingOf('exp_A'),
        trackingOf('exp_B', { ref: { ...refOf('exp_B'), campaignId: 'cam_B2' } }),
      ])
      await schedule.claim(START, { watched: 5, idle: 5, unconfirmed: 5 })
      const listed = await schedule.newest(campaign, 10)
      expect(idsOf(listed)).toEqual(['exp_A'])
      expect(listed[0]).not.toHaveProperty('token')
      expect(idsOf(await schedule.newest(elsewhere, 10))).toEqual(['exp_B'])
    })
  })
}
