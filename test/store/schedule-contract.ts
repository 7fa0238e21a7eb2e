import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Origin, Schedule, Tracking } from '../../src/exports/schedule.ts'
import type { ScheduleLimits } from '../../src/store/tracked.ts'
import { refOf, START, trackingOf, VISIBILITY_MS } from './records.ts'
import { describeClaims } from './schedule-claims-contract.ts'
import { claimOne, findOne, plan, roomFor, setUpSchedule, watchAll } from './schedule-fixtures.ts'
import { describeScheduleModel } from './schedule-model.ts'
import { describeSeparation } from './schedule-separation-contract.ts'
import { describeWatching } from './schedule-watching-contract.ts'

const ref = refOf('exp_A')

/**
 * What every `Schedule` promises. `open` makes an empty store; claims hold for `VISIBILITY_MS`.
 * @param traits.hastens whether replicas share the schedule, so that another one may hold a claim
 */
export const describeSchedule = (
  name: string,
  open: (given?: { scheduleLimits?: Partial<ScheduleLimits> }) => Store,
  { hastens = false }: { readonly hastens?: boolean } = {},
): void => {
  const setUp = (...tracked: Tracking[]) => setUpSchedule(open(), tracked)

  describeClaims(name, open)
  describeWatching(name, open)
  describeScheduleModel(name, open, hastens)
  describeSeparation(name, open)

  describe(`the schedule of ${name}, told to track,`, () => {
    it('finds what is tracked, without the token of a claim on it', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const kept = { ...trackingOf('exp_A'), watched: false }
      expect(await schedule.find([refOf('exp_B'), ref])).toEqual([undefined, kept])
      await claimOne(schedule, START)
      expect(await findOne(schedule, 'exp_A')).toEqual({ ...kept, dueAt: START + VISIBILITY_MS })
      expect(await findOne(schedule, 'exp_A')).not.toHaveProperty('token')
      expect(await schedule.find([])).toEqual([])
    })

    it('tells everything that is tracked, and what is watched of it', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'), trackingOf('exp_B'))
      await watchAll(schedule, ['exp_A'])
      const all = await schedule.all()
      expect([...all].sort((one, two) => (one.ref.exportId < two.ref.exportId ? -1 : 1))).toEqual([
        { ...trackingOf('exp_A'), watched: true },
        { ...trackingOf('exp_B'), watched: false },
      ])
    })

    it('counts what is tracked, by class', async () => {
      const { schedule } = await setUp(
        ...['exp_A', 'exp_B', 'exp_C'].map((id) => trackingOf(id)),
        trackingOf('exp_D', { origin: 'watched' }),
      )
      await watchAll(schedule, ['exp_A', 'exp_D'])
      expect(await schedule.count()).toEqual({ watched: 1, idle: 2, unconfirmed: 1 })
      await schedule.untrack(refOf('exp_B'))
      expect(await schedule.count()).toEqual({ watched: 1, idle: 1, unconfirmed: 1 })
    })

    it('tracks 1 200 exports at once', async () => {
      const { schedule } = await setUp()
      const ids = Array.from({ length: 1_200 }, (_, n) => `exp_${n}`)
      expect(await schedule.track(ids.map((id) => trackingOf(id)))).toEqual([])
      expect((await schedule.find(ids.map((id) => refOf(id)))).includes(undefined)).toBe(false)
    })

    it('takes the plan of the newest look', async () => {
      const { schedule } = await setUp(trackingOf('exp_A', { misses: 3, failures: 4 }))
      const look = trackingOf('exp_A', { dueAt: START + 1000, intervalMs: 5000, agedLooks: 2 })
      await schedule.track([look])
      expect(await findOne(schedule, 'exp_A')).toEqual({ ...look, watched: false })
    })

    it('keeps the earliest `firstSeenAt`', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A', { firstSeenAt: START }),
        trackingOf('exp_A', { firstSeenAt: START + 9 }),
      )
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ firstSeenAt: START })
      await schedule.track([trackingOf('exp_A', { firstSeenAt: START - 9 })])
      expect(await findOne(schedule, 'exp_A')).toMatchObject({ firstSeenAt: START - 9 })
    })

    const weakestFirst: readonly Origin[] = ['watched', 'started', 'pending']
    it.each(
      weakestFirst.flatMap((weak, n) => weakestFirst.slice(n).map((strong) => [weak, strong])),
    )(
      'keeps the stronger of the origins %s and %s, whichever comes first',
      async (weak, strong) => {
        const { schedule } = await setUp(
          trackingOf('exp_A', { origin: weak }),
          trackingOf('exp_A', { origin: strong }),
          trackingOf('exp_B', { origin: strong }),
          trackingOf('exp_B', { origin: weak }),
        )
        const found = await schedule.find([ref, refOf('exp_B')])
        expect(found).toMatchObject([{ origin: strong }, { origin: strong }])
      },
    )

    it('says whether it had anything to untrack', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      expect(await schedule.untrack(refOf('exp_B'))).toBe(false)
      expect(await schedule.untrack(ref)).toBe(true)
      expect(await schedule.untrack(ref)).toBe(false)
      expect(await claimIds(START)).toEqual([])
    })

    it('untracks an export with the token of a claim that holds', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      expect(await schedule.untrack(ref, claim.token)).toBe(true)
      expect(await findOne(schedule, 'exp_A')).toBeUndefined()
    })
  })

  describe(`the bounds of the schedule of ${name}`, () => {
    const limits = { maxTracked: 4, maxUnconfirmed: 2 }
    const unconfirmed = (id: string) => trackingOf(id, { origin: 'watched' })
    const start = () => setUpSchedule(open({ scheduleLimits: limits }), [])

    it('refuse the exports that go beyond them, and name these exports', async () => {
      const { schedule } = await start()
      const refused = await schedule.track(
        ['exp_A', 'exp_B', 'exp_C', 'exp_D', 'exp_E'].map((id) => trackingOf(id)),
      )
      expect(refused).toEqual([refOf('exp_E')])
      expect(await findOne(schedule, 'exp_E')).toBeUndefined()
    })

    it('leave room for confirmed exports when many are unconfirmed', async () => {
      const { schedule } = await start()
      const refused = await schedule.adopt(['exp_A', 'exp_B', 'exp_C'].map(unconfirmed))
      expect(refused).toEqual([refOf('exp_C')])
      expect(await schedule.track([trackingOf('exp_D')])).toEqual([])
    })

    it('never refuse an export that is already tracked', async () => {
      const { schedule } = await start()
      await schedule.track(['exp_A', 'exp_B', 'exp_C', 'exp_D'].map((id) => trackingOf(id)))
      expect(await schedule.track([trackingOf('exp_A', { misses: 1 })])).toEqual([])
      expect(await schedule.adopt([unconfirmed('exp_B')])).toEqual([])
    })

    it('give the place of an export that is no longer tracked to another one', async () => {
      const { schedule } = await start()
      await schedule.adopt(['exp_A', 'exp_B'].map(unconfirmed))
      await schedule.unwatch([ref])
      expect(await schedule.adopt([unconfirmed('exp_C')])).toEqual([])
    })
  })

  describe(`nextDueAt of the schedule of ${name}`, () => {
    const nextDueAt = async (schedule: Schedule) =>
      (await schedule.claim(START - 1, roomFor(1))).nextDueAt

    it('is the earliest due time of the exports that were not claimed', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A'),
        trackingOf('exp_B', { dueAt: START + 9000 }),
        trackingOf('exp_C', { dueAt: START + 8000 }),
      )
      expect((await schedule.claim(START, roomFor(5))).nextDueAt).toBe(START + 8000)
    })

    it('is the earliest due time in the classes that still have room', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A'),
        trackingOf('exp_B'),
        trackingOf('exp_C', { dueAt: START + 8000 }),
      )
      await watchAll(schedule, ['exp_C'])
      const { claims, nextDueAt } = await schedule.claim(START, roomFor(1))
      expect([claims.length, nextDueAt]).toEqual([1, START + 8000])
    })

    it('is undefined when no class has room left', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'), trackingOf('exp_B'))
      const room = { watched: 0, idle: 1, unconfirmed: 0 }
      expect((await schedule.claim(START, room)).nextDueAt).toBeUndefined()
    })

    it('is the time at which the claims end when nothing is due before', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A'),
        trackingOf('exp_B', { dueAt: START + VISIBILITY_MS + 1 }),
      )
      expect((await schedule.claim(START, roomFor(5))).nextDueAt).toBe(START + VISIBILITY_MS)
      expect((await schedule.claim(START + 1, roomFor(5))).nextDueAt).toBe(START + VISIBILITY_MS)
    })

    it('follows every change of a due time', async () => {
      const { schedule } = await setUp(trackingOf('exp_A', { dueAt: START + 5000 }))
      expect(await nextDueAt(schedule)).toBe(START + 5000)
      await watchAll(schedule, ['exp_A'], START + 1000)
      expect(await nextDueAt(schedule)).toBe(START + 1000)
      await schedule.track([trackingOf('exp_A', { dueAt: START + 3000 })])
      expect(await nextDueAt(schedule)).toBe(START + 3000)
      await schedule.reschedule(await claimOne(schedule, START + 3000), plan)
      expect(await nextDueAt(schedule)).toBe(plan.dueAt)
      await schedule.untrack(ref)
      expect(await nextDueAt(schedule)).toBeUndefined()
    })
  })
}
