import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Tracking } from '../../src/exports/schedule.ts'
import { refOf, START, trackingOf, VISIBILITY_MS } from './records.ts'
import { claimOne, findOne, plan, roomFor, setUpSchedule, watchAll } from './schedule-fixtures.ts'

const ref = refOf('exp_A')
const unconfirmed = (id: string, but: Partial<Tracking> = {}) =>
  trackingOf(id, { origin: 'watched', ...but })

/** The part of `describeSchedule` that is about watching. */
export const describeWatching = (name: string, open: () => Store): void => {
  const setUp = (...tracked: Tracking[]) => setUpSchedule(open(), tracked)

  describe(`the schedule of ${name}, told to watch,`, () => {
    it('does not begin to track an export, but remembers that it is watched', async () => {
      const { schedule, claimIds } = await setUp()
      await watchAll(schedule, ['exp_A'], START)
      await schedule.watch([])
      expect(await claimIds(START)).toEqual([])
      await schedule.track([trackingOf('exp_A')])
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ watched: true })
    })

    it('brings the due time forward when asked to, and never puts it off', async () => {
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: START + 60_000 }),
        trackingOf('exp_B', { dueAt: START + 500 }),
      )
      await watchAll(schedule, ['exp_A', 'exp_B'], START + 1000)
      expect(await claimIds(START + 999)).toEqual(['exp_B'])
      expect(await claimIds(START + 1000)).toEqual(['exp_A'])
    })

    it('brings each export forward to the time that was asked for it', async () => {
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: START + 60_000 }),
        trackingOf('exp_B', { dueAt: START + 60_000 }),
      )
      await schedule.watch([
        { ref, dueBy: START + 2000.5 },
        { ref: refOf('exp_B'), dueBy: START + 1 },
      ])
      expect(await claimIds(START + 1)).toEqual(['exp_B'])
      expect(await claimIds(START + 2001)).toEqual(['exp_A'])
    })

    it('changes neither the due time of a claimed export nor its claim', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await watchAll(schedule, ['exp_A'], START + 1)
      expect(await claimIds(START + VISIBILITY_MS - 1)).toEqual([])
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ watched: true })
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('puts no second look at once behind the one that is under way', async () => {
      // Regression: a stream that opened during a look caused a second look right after its answer.
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.adopt([unconfirmed('exp_A', { dueAt: START, intervalMs: 5000 })])
      await schedule.watch([{ ref, dueBy: START + 100, intervalMs: 5000 }])
      await schedule.reschedule(claim, { ...plan, dueAt: START + 5000, intervalMs: 5000 })
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ dueAt: START + 5000 })
    })

    it('brings an export forward whose claim is over', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      await schedule.reschedule(await claimOne(schedule, START), plan)
      await watchAll(schedule, ['exp_A'], START + 1000)
      expect(await claimIds(START + 1000)).toEqual(['exp_A'])
    })

    it('leaves an export due whose claim was never ended', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      await claimOne(schedule, START)
      const now = START + VISIBILITY_MS + 5
      await watchAll(schedule, ['exp_A'], now)
      expect(await claimIds(now)).toEqual(['exp_A'])
    })

    it('gives claims on an export the class `watched` until nobody watches it any more', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      await watchAll(schedule, ['exp_A'])
      const claim = await claimOne(schedule, START)
      expect(claim).toMatchObject({ watched: true, callClass: 'watched' })
      await schedule.reschedule(claim, { ...plan, dueAt: START + 10 })
      await schedule.unwatch([ref])
      expect(await claimOne(schedule, START + 10)).toMatchObject({
        watched: false,
        callClass: 'idle',
      })
    })

    it('gives an idle export at its new due time when somebody begins to watch it', async () => {
      // Regression: such an export kept its rank of an idle one, and nobody looked at it for minutes.
      const { claimIds, schedule } = await setUp(
        trackingOf('exp_A', { dueAt: START + 50_000, lookedAt: START - 10_000 }),
        trackingOf('exp_B', { dueAt: START + 2000, lookedAt: START - 3000 }),
      )
      await watchAll(schedule, ['exp_B'])
      await watchAll(schedule, ['exp_A'], START + 1000)
      const room = { ...roomFor(0), watched: 1 }
      expect(await claimIds(START + 3000, room)).toEqual(['exp_A'])
    })

    it('changes nothing when a renewal names what is already watched', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A', { dueAt: START + 500 }))
      await watchAll(schedule, ['exp_A'])
      await schedule.renew(() => [ref])
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ watched: true })
      expect(await claimIds(START + 499)).toEqual([])
    })

    it('counts exactly the exports that a renewal names as watched', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'), trackingOf('exp_B'))
      const watched = async () =>
        (await schedule.find([ref, refOf('exp_B')])).map((found) => found?.watched)
      await watchAll(schedule, ['exp_A'])
      await schedule.renew(() => [ref, refOf('exp_B')])
      expect(await watched()).toEqual([true, true])
      await schedule.renew(() => [refOf('exp_B')])
      expect(await watched()).toEqual([false, true])
      await schedule.renew(() => [])
      expect(await watched()).toEqual([false, false])
    })
  })

  describe(`a renewal on the schedule of ${name}`, () => {
    it('sees that other exports are watched, also when they are as many as before', async () => {
      // Regression: the heartbeat compared only how many exports are watched.
      const refs = ['exp_A', 'exp_B', 'exp_C'].map((id) => refOf(id))
      const { schedule } = await setUp(...refs.map((one) => trackingOf(one.exportId)))
      await watchAll(schedule, ['exp_A', 'exp_B'])
      await schedule.renew(() => [ref, refOf('exp_C')])
      const found = await schedule.find(refs)
      expect(found.map((one) => one?.watched)).toEqual([true, false, true])
    })

    it('returns the exports that did not count as watched before it', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      await watchAll(schedule, ['exp_A'])
      const watchedNow = () => [ref, refOf('exp_B')]
      expect(await schedule.renew(watchedNow)).toEqual([refOf('exp_B')])
      expect(await schedule.renew(watchedNow)).toEqual([])
    })

    it('counts exactly 1 200 exports as watched that have taken the place of 1 200 others', async () => {
      const { schedule } = await setUp()
      const idsFrom = (first: number) => Array.from({ length: 1200 }, (_, n) => `exp_${first + n}`)
      await schedule.track(idsFrom(0).map((id) => trackingOf(id)))
      await schedule.track(idsFrom(1200).map((id) => trackingOf(id)))
      await watchAll(schedule, idsFrom(0))
      const refs = idsFrom(1200).map((id) => refOf(id))
      expect(await schedule.renew(() => refs)).toHaveLength(1200)
      const found = await schedule.find([...idsFrom(0).map((id) => refOf(id)), ...refs])
      expect(found.findIndex((one) => one?.watched)).toBe(1200)
      expect(found.slice(1200).every((one) => one?.watched)).toBe(true)
    })
  })

  describe(`an export that lemlist has not confirmed, on the schedule of ${name},`, () => {
    it('is tracked when somebody watches it, in a class of its own', async () => {
      const { schedule } = await setUp()
      expect(await schedule.adopt([unconfirmed('exp_A')])).toEqual([])
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ origin: 'watched', watched: true })
      expect(await claimOne(schedule, START)).toMatchObject({ callClass: 'unconfirmed' })
    })

    it('is dropped when its last watcher leaves', async () => {
      // Regression: one page with unknown ids took the whole budget for hours after it was closed.
      const { schedule, claimIds } = await setUp()
      await schedule.adopt([unconfirmed('exp_A'), unconfirmed('exp_B')])
      await schedule.unwatch([ref, refOf('exp_unknown')])
      expect(await findOne(schedule, 'exp_A')).toBeUndefined()
      expect(await claimIds(START)).toEqual(['exp_B'])
    })

    it('is dropped together with the claim on it', async () => {
      const { schedule, claimIds } = await setUp()
      await schedule.adopt([unconfirmed('exp_A')])
      const claim = await claimOne(schedule, START)
      await schedule.unwatch([ref])
      expect(await schedule.reschedule(claim, { ...plan, origin: 'watched' })).toBe(false)
      expect(await claimIds(START + VISIBILITY_MS)).toEqual([])
    })

    it('is still followed without a watcher once lemlist has confirmed it', async () => {
      const { schedule, claimIds } = await setUp()
      await schedule.adopt([unconfirmed('exp_A')])
      await schedule.reschedule(await claimOne(schedule, START), plan)
      await schedule.unwatch([ref])
      expect(await claimIds(plan.dueAt)).toEqual(['exp_A'])
    })

    it('is only brought forward and marked as watched when it is tracked as confirmed', async () => {
      const kept = trackingOf('exp_A', { dueAt: START + 9000, misses: 2, firstSeenAt: START - 5 })
      const { schedule } = await setUp(kept)
      await schedule.adopt([unconfirmed('exp_A', { dueAt: START + 4000 })])
      expect(await findOne(schedule, 'exp_A')).toEqual({
        ...kept,
        dueAt: START + 4000,
        watched: true,
      })
    })

    it('leaves a claim valid when it is adopted', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.adopt([unconfirmed('exp_A')])
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })
  })
}
