import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Claim, Tracking } from '../../src/exports/schedule.ts'
import { refOf, START, trackingOf, VISIBILITY_MS } from './records.ts'
import { claimOne, idsOf, plan, setUpSchedule } from './schedule-fixtures.ts'

const ref = refOf('exp_A')

/** The part of `describeSchedule` that is about claims. */
export const describeClaims = (name: string, open: () => Store): void => {
  const setUp = (...tracked: Tracking[]) => setUpSchedule(open(), tracked)

  describe(`the schedule of ${name}, asked for claims,`, () => {
    it('has nothing due and nothing to wait for when nothing is tracked', async () => {
      const { schedule } = await setUp()
      expect(await schedule.claim(START, 10)).toEqual({ claims: [], nextDueAt: undefined })
    })

    it('gives an export when it is due, and not a millisecond before', async () => {
      const { claimIds } = await setUp(trackingOf('exp_A'))
      expect(await claimIds(START - 1)).toEqual([])
      expect(await claimIds(START)).toEqual(['exp_A'])
    })

    it('gives with a claim all that was tracked, and the time at which it was due', async () => {
      const tracking = trackingOf('exp_A', {
        origin: 'started',
        misses: 2,
        failures: 3,
        firstSeenAt: START - 500,
        watchedUntil: START + 40_000,
      })
      const { schedule } = await setUp(tracking)
      const claim = await claimOne(schedule, START + 7000)
      expect(claim).toEqual({ ...tracking, token: expect.stringMatching(/./) })
    })

    it('accepts times with fractions of milliseconds, which jitter makes', async () => {
      const jittered = { dueAt: START + 0.4, intervalMs: 5123.7 }
      const { schedule } = await setUp(trackingOf('exp_A', jittered))
      const claim = await claimOne(schedule, START + 1)
      expect(claim.dueAt).toBeCloseTo(jittered.dueAt, -1)
      expect(claim.intervalMs).toBeCloseTo(jittered.intervalMs, -1)
      const later = { ...plan, dueAt: START + 90_000.3, intervalMs: 15_000.5 }
      expect(await schedule.reschedule(claim, later)).toBe(true)
    })

    it('gives as many exports as asked for, those with the earliest deadline first', async () => {
      const { claimIds } = await setUp(
        trackingOf('exp_idle', { dueAt: START, intervalMs: 60_000 }),
        trackingOf('exp_late', { dueAt: START + 2000, intervalMs: 5000 }),
        trackingOf('exp_watched', { dueAt: START + 1000, intervalMs: 5000 }),
      )
      expect(await claimIds(START + 3000, 2)).toEqual(['exp_watched', 'exp_late'])
      expect(await claimIds(START + 3000, 2)).toEqual(['exp_idle'])
    })

    it('gives an idle export first when it is overdue for long enough', async () => {
      const { claimIds } = await setUp(
        trackingOf('exp_watched', { dueAt: START + 56_000, intervalMs: 5000 }),
        trackingOf('exp_idle', { dueAt: START, intervalMs: 60_000 }),
      )
      expect(await claimIds(START + 56_000, 1)).toEqual(['exp_idle'])
    })

    it('starves no export when there are never enough looks for all', async () => {
      const watched = Array.from({ length: 8 }, (_, n) =>
        trackingOf(`exp_W${n}`, { intervalMs: 5000 }),
      )
      const { schedule } = await setUp(...watched, trackingOf('exp_idle'))
      let now = START
      let waited = 0
      for (; ; now += 1000, waited++) {
        const claim = await claimOne(schedule, now)
        if (claim.ref.exportId === 'exp_idle') break
        // It is due again at once. So eight exports want a look each second, and there is one look.
        await schedule.reschedule(claim, { ...claim, dueAt: now })
        expect(waited).toBeLessThan(70)
      }
      expect(waited).toBeGreaterThan(50)
    })

    it.each([0, -1])('gives no export when asked for %i', async (limit) => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      expect(await schedule.claim(START, limit)).toEqual({ claims: [], nextDueAt: START })
    })

    it('gives no export twice, however many claims are made at once', async () => {
      const ids = Array.from({ length: 30 }, (_, n) => `exp_${n}`)
      const { schedule } = await setUp(...ids.map((id) => trackingOf(id)))
      const answers = await Promise.all(ids.map(() => schedule.claim(START, 4)))
      const claims = answers.flatMap((answer) => answer.claims)
      expect(idsOf(claims).sort()).toEqual(ids.sort())
      expect(new Set(claims.map(({ token }) => token)).size).toBe(ids.length)
    })

    it('keeps accounts apart', async () => {
      const { schedule } = await setUp(
        trackingOf('exp_A', { ref: refOf('exp_A', 'ours') }),
        trackingOf('exp_A', { ref: refOf('exp_A', 'theirs'), dueAt: START + 1 }),
      )
      expect(await schedule.untrack(refOf('exp_A', 'ours'))).toBe(true)
      expect((await claimOne(schedule, START + 1)).ref).toEqual(refOf('exp_A', 'theirs'))
    })

    it('gives 1 000 exports, each once, in the order of their deadlines', async () => {
      const { schedule } = await setUp()
      for (let n = 0; n < 1000; n++) {
        // 7 and 1 000 have no common factor, so every due time occurs once, in a mixed order.
        await schedule.track(trackingOf(`exp_${n}`, { dueAt: START + ((n * 7) % 1000) }))
      }
      const claims: Claim[] = []
      for (let round = 0; round < 10; round++) {
        claims.push(...(await schedule.claim(START + 1000, 100)).claims)
      }
      expect(claims.map(({ dueAt }) => dueAt - START)).toEqual(
        Array.from({ length: 1000 }).map((_, n) => n),
      )
      expect((await schedule.claim(START + 1000, 100)).claims).toEqual([])
      const refs = claims.map((claim) => claim.ref)
      await schedule.watch(refs, START + 50_000)
      expect(await schedule.find(refOf('exp_999'))).toMatchObject({ watchedUntil: START + 50_000 })
    })
  })

  describe(`a claim on the schedule of ${name}`, () => {
    it('ends when the visibility time-out has passed, and not before', async () => {
      const { claimIds, schedule } = await setUp(trackingOf('exp_A'))
      const dead = await claimOne(schedule, START + 10)
      expect(await claimIds(START + 10 + VISIBILITY_MS - 1)).toEqual([])
      const claim = await claimOne(schedule, START + 10 + VISIBILITY_MS)
      expect(claim.ref).toEqual(ref)
      expect(claim.token).not.toBe(dead.token)
    })

    it('ends with a plan, which says when the export is due next', async () => {
      const { claimIds, schedule } = await setUp(trackingOf('exp_A', { watchedUntil: START + 5 }))
      expect(await schedule.reschedule(await claimOne(schedule, START), plan)).toBe(true)
      expect(await claimIds(plan.dueAt - 1)).toEqual([])
      expect(await claimOne(schedule, plan.dueAt)).toMatchObject({
        ...plan,
        firstSeenAt: START,
        watchedUntil: START + 5,
      })
    })

    it('takes from a plan only the fields of a plan', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.watch([ref], START + 30_000)
      // Here the plan is the claim itself, whose `watchedUntil` is older than the row's.
      expect(await schedule.reschedule(claim, { ...claim, dueAt: START + 5000 })).toBe(true)
      expect(await schedule.find(ref)).toEqual(
        trackingOf('exp_A', { dueAt: START + 5000, watchedUntil: START + 30_000 }),
      )
    })

    it('cannot be ended a second time', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      expect(await schedule.reschedule(claim, plan)).toBe(true)
      expect(await schedule.reschedule(claim, { ...plan, dueAt: START })).toBe(false)
      expect(await schedule.untrack(ref, claim.token)).toBe(false)
      expect(await schedule.find(ref)).toMatchObject(plan)
    })

    it('can still be ended after its time-out when nobody else has claimed the export', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.claim(START + 2 * VISIBILITY_MS, 0)
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('changes nothing once somebody else has claimed the export', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const lost = await claimOne(schedule, START)
      const claim = await claimOne(schedule, START + VISIBILITY_MS)
      const before = await schedule.find(ref)
      expect(await schedule.reschedule(lost, plan)).toBe(false)
      expect(await schedule.untrack(ref, lost.token)).toBe(false)
      expect(await schedule.find(ref)).toEqual(before)
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('changes nothing once a look that was made outside of it is noted', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const lost = await claimOne(schedule, START)
      const look = trackingOf('exp_A', { dueAt: START + 3000 })
      await schedule.track(look)
      expect(await schedule.reschedule(lost, plan)).toBe(false)
      expect(await schedule.untrack(ref, lost.token)).toBe(false)
      expect(await schedule.find(ref)).toEqual(look)
    })

    it('changes nothing once the export is no longer tracked, and does not bring it back', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      expect(await schedule.untrack(ref)).toBe(true)
      expect(await schedule.reschedule(claim, plan)).toBe(false)
      expect(await schedule.untrack(ref, claim.token)).toBe(false)
      expect(await schedule.find(ref)).toBeUndefined()
    })

    it('changes nothing with a token that nobody was given', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      for (const token of ['', 'made up', 'undefined', 'null']) {
        expect(await schedule.reschedule({ ref, token }, plan)).toBe(false)
        expect(await schedule.untrack(ref, token)).toBe(false)
      }
      expect(await schedule.find(ref)).toEqual(trackingOf('exp_A'))
    })
  })
}
