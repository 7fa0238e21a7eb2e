import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Origin, Schedule, Tracking } from '../../src/exports/schedule.ts'
import { refOf, START, trackingOf, VISIBILITY_MS } from './records.ts'
import { describeClaims } from './schedule-claims-contract.ts'
import { claimOne, plan, setUpSchedule } from './schedule-fixtures.ts'
import { describeScheduleModel } from './schedule-model.ts'

const ref = refOf('exp_A')

/**
 * What every `Schedule` promises. `open` makes an empty store; claims hold for `VISIBILITY_MS`.
 * @param traits.hastens whether replicas share the schedule, so that another one may hold a claim
 */
export const describeSchedule = (
  name: string,
  open: () => Store,
  { hastens = false }: { readonly hastens?: boolean } = {},
): void => {
  const setUp = (...tracked: Tracking[]) => setUpSchedule(open(), tracked)

  describeClaims(name, open)
  describeScheduleModel(name, open, hastens)

  describe(`the schedule of ${name}, told to track,`, () => {
    it('finds what is tracked, without the token of a claim on it', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      expect(await schedule.find(refOf('exp_B'))).toBeUndefined()
      expect(await schedule.find(ref)).toEqual(trackingOf('exp_A'))
      await claimOne(schedule, START)
      expect(await schedule.find(ref)).toEqual(
        trackingOf('exp_A', { dueAt: START + VISIBILITY_MS }),
      )
      expect(await schedule.find(ref)).not.toHaveProperty('token')
    })

    it('takes the plan of the newest look', async () => {
      const { schedule } = await setUp(trackingOf('exp_A', { misses: 3, failures: 4 }))
      const look = trackingOf('exp_A', { dueAt: START + 1000, intervalMs: 5000 })
      await schedule.track(look)
      expect(await schedule.find(ref)).toEqual(look)
    })

    it('keeps the earliest `firstSeenAt` and the latest `watchedUntil`', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A', { firstSeenAt: START, watchedUntil: START + 40_000 }),
        trackingOf('exp_A', { firstSeenAt: START + 9, watchedUntil: 0 }),
      )
      const kept = { firstSeenAt: START, watchedUntil: START + 40_000 }
      expect(await schedule.find(ref)).toMatchObject(kept)
      const more = { firstSeenAt: START - 9, watchedUntil: START + 50_000 }
      await schedule.track(trackingOf('exp_A', more))
      expect(await schedule.find(ref)).toMatchObject(more)
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
        expect(await schedule.find(ref)).toMatchObject({ origin: strong })
        expect(await schedule.find(refOf('exp_B'))).toMatchObject({ origin: strong })
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
      expect(await schedule.find(ref)).toBeUndefined()
    })
  })

  describe(`the schedule of ${name}, told what is watched,`, () => {
    it('does not begin to track anything', async () => {
      const { schedule } = await setUp()
      await schedule.watch([ref], START + 50_000, START)
      expect(await schedule.claim(START, 1)).toEqual({ claims: [], nextDueAt: undefined })
      await schedule.watch([], START + 50_000, START)
    })

    it('raises `watchedUntil` and never lowers it', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'), trackingOf('exp_B'))
      await schedule.watch([ref, refOf('exp_unknown'), refOf('exp_B')], START + 50_000)
      await schedule.watch([ref], START + 40_000)
      for (const id of ['exp_A', 'exp_B']) {
        expect(await schedule.find(refOf(id))).toEqual(
          trackingOf(id, { watchedUntil: START + 50_000 }),
        )
      }
    })

    it('brings the due time forward when asked to, and never puts it off', async () => {
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: START + 60_000 }),
        trackingOf('exp_B', { dueAt: START + 500 }),
      )
      await schedule.watch([ref, refOf('exp_B')], START + 50_000, START + 1000)
      expect(await claimIds(START + 999)).toEqual(['exp_B'])
      expect(await claimIds(START + 1000)).toEqual(['exp_A'])
    })

    it('changes neither the due time of a claimed export nor its claim', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.watch([ref], START + 50_000, START + 1)
      expect(await claimIds(START + VISIBILITY_MS - 1)).toEqual([])
      expect(await schedule.find(ref)).toMatchObject({ watchedUntil: START + 50_000 })
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('brings an export forward whose claim is over', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      await schedule.reschedule(await claimOne(schedule, START), plan)
      await schedule.watch([ref], START + 50_000, START + 1000)
      expect(await claimIds(START + 1000)).toEqual(['exp_A'])
    })

    it('leaves an export due whose claim was never ended', async () => {
      const { schedule, claimIds } = await setUp(trackingOf('exp_A'))
      await claimOne(schedule, START)
      const now = START + VISIBILITY_MS + 5
      await schedule.watch([ref], START + 90_000, now)
      expect(await claimIds(now)).toEqual(['exp_A'])
    })
  })

  describe(`nextDueAt of the schedule of ${name}`, () => {
    const nextDueAt = async (schedule: Schedule) => (await schedule.claim(START - 1, 1)).nextDueAt

    it('is the earliest due time of the exports that were not claimed', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A'),
        trackingOf('exp_B', { dueAt: START + 9000 }),
        trackingOf('exp_C', { dueAt: START + 8000 }),
      )
      expect((await schedule.claim(START, 5)).nextDueAt).toBe(START + 8000)
    })

    it('lies in the past when fewer exports were asked for than are due', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'), trackingOf('exp_B'))
      expect((await schedule.claim(START + 5000, 1)).nextDueAt).toBe(START)
    })

    it('is the time at which the claims end when nothing is due before', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A'),
        trackingOf('exp_B', { dueAt: START + VISIBILITY_MS + 1 }),
      )
      expect((await schedule.claim(START, 5)).nextDueAt).toBe(START + VISIBILITY_MS)
      expect((await schedule.claim(START + 1, 5)).nextDueAt).toBe(START + VISIBILITY_MS)
    })

    it('follows every change of a due time', async () => {
      const { schedule } = await setUp(trackingOf('exp_A', { dueAt: START + 5000 }))
      expect(await nextDueAt(schedule)).toBe(START + 5000)
      await schedule.watch([ref], START + 50_000, START + 1000)
      expect(await nextDueAt(schedule)).toBe(START + 1000)
      await schedule.track(trackingOf('exp_A', { dueAt: START + 3000 }))
      expect(await nextDueAt(schedule)).toBe(START + 3000)
      await schedule.reschedule(await claimOne(schedule, START + 3000), plan)
      expect(await nextDueAt(schedule)).toBe(plan.dueAt)
      await schedule.untrack(ref)
      expect(await nextDueAt(schedule)).toBeUndefined()
    })
  })
}
