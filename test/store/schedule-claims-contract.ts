import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Claim, Tracking } from '../../src/exports/schedule.ts'
import { LONGEST_AHEAD_MS } from '../../src/store/tracked.ts'
import { refOf, START, trackingOf, VISIBILITY_MS } from './records.ts'
import {
  claimOne,
  findOne,
  idsOf,
  plan,
  roomFor,
  setUpSchedule,
  watchAll,
} from './schedule-fixtures.ts'

const ref = refOf('exp_A')

/** The part of `describeSchedule` that is about claims. */
export const describeClaims = (name: string, open: () => Store): void => {
  const setUp = (...tracked: Tracking[]) => setUpSchedule(open(), tracked)

  describe(`the schedule of ${name}, asked for claims,`, () => {
    it('has nothing due and nothing to wait for when nothing is tracked', async () => {
      const { schedule } = await setUp()
      const nothing = { claims: [], nextDueAt: undefined }
      expect(await schedule.claim(START, roomFor(10))).toEqual(nothing)
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
        agedLooks: 1,
        firstSeenAt: START - 500,
      })
      const { schedule } = await setUp(tracking)
      expect(await claimOne(schedule, START + 7000)).toEqual({
        ...tracking,
        watched: false,
        callClass: 'idle',
        token: expect.stringMatching(/./),
      })
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

    it('gives as many exports as there is room for, those looked at longest ago first', async () => {
      const { claimIds } = await setUp(
        trackingOf('exp_last', { dueAt: START, lookedAt: START - 5000 }),
        trackingOf('exp_first', { dueAt: START + 2000, lookedAt: START - 13_000 }),
        trackingOf('exp_second', { dueAt: START + 1000, lookedAt: START - 9000 }),
      )
      expect(await claimIds(START + 3000, roomFor(2))).toEqual(['exp_first', 'exp_second'])
      expect(await claimIds(START + 3000, roomFor(2))).toEqual(['exp_last'])
    })

    it('gives no export before it is due, however long ago it was looked at', async () => {
      const { claimIds } = await setUp(
        trackingOf('exp_due', { lookedAt: START - 5000 }),
        trackingOf('exp_A', { dueAt: START + 1, lookedAt: START - 90_000 }),
      )
      expect(await claimIds(START)).toEqual(['exp_due'])
    })

    it('waits equally long for every look when there are too few, however long the intervals', async () => {
      const intervals = [5000, 5000, 5000, 15_000, 15_000, 15_000, 15_000, 15_000]
      const { schedule } = await setUp(
        ...intervals.map((intervalMs, n) =>
          trackingOf(`exp_${n}`, { intervalMs, lookedAt: START - intervalMs }),
        ),
      )
      const gaps: number[] = []
      // A look every 3 s is one every 24 s for each of the eight exports.
      for (let now = START; now < START + 240_000; now += 3000) {
        const claim = await claimOne(schedule, now)
        if (now > START + 60_000) gaps.push(now - claim.lookedAt)
        const times = { lookedAt: now, dueAt: now + claim.intervalMs }
        await schedule.reschedule(claim, { ...claim, ...times })
      }
      expect(gaps.length).toBeGreaterThan(50)
      expect([...new Set(gaps)]).toEqual([24_000])
    })

    it('fills the room of each class, however many exports of another class are overdue', async () => {
      // Regression: a watched export waited for two minutes behind 2 000 exports that nobody watched.
      const { schedule, claimIds } = await setUp(
        ...['exp_I1', 'exp_I2', 'exp_I3'].map((id) => trackingOf(id)),
        ...['exp_W1', 'exp_W2'].map((id) => trackingOf(id, { dueAt: START + 50 })),
      )
      await watchAll(schedule, ['exp_W1', 'exp_W2'])
      await schedule.adopt(
        ['exp_U1', 'exp_U2'].map((id) => trackingOf(id, { origin: 'watched', dueAt: START + 90 })),
      )
      const room = { watched: 1, idle: 2, unconfirmed: 1 }
      expect((await claimIds(START + 100, room)).sort()).toEqual([
        'exp_I1',
        'exp_I2',
        'exp_U1',
        'exp_W1',
      ])
    })

    it('starves no export of a class when there are never enough looks for all', async () => {
      const ids = Array.from({ length: 9 }, (_, n) => `exp_${n}`)
      const { schedule } = await setUp(...ids.map((id) => trackingOf(id)))
      const looks = new Map(ids.map((id) => [id, 0]))
      for (let now = START; now < START + 90_000; now += 1000) {
        const claim = await claimOne(schedule, now)
        looks.set(claim.ref.exportId, (looks.get(claim.ref.exportId) ?? 0) + 1)
        // Every second export is due again at once, the others after 5 s.
        const pauseMs = Number(claim.ref.exportId.slice(4)) % 2 === 0 ? 0 : 5000
        await schedule.reschedule(claim, { ...claim, lookedAt: now, dueAt: now + pauseMs })
      }
      expect(Math.min(...looks.values())).toBeGreaterThanOrEqual(Math.max(...looks.values()) / 2)
    })

    it.each([0, -1])('gives no export when there is room for %i of each class', async (count) => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      expect((await schedule.claim(START, roomFor(count))).claims).toEqual([])
    })

    it('gives no export twice, however many claims are made at once', async () => {
      const ids = Array.from({ length: 30 }, (_, n) => `exp_${n}`)
      const { schedule } = await setUp(...ids.map((id) => trackingOf(id)))
      const answers = await Promise.all(ids.map(() => schedule.claim(START, roomFor(4))))
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

    it('gives 1 000 exports, each once, in the order of their due times', async () => {
      const { schedule } = await setUp()
      // 7 and 1 000 have no common factor, so every due time occurs once, in a mixed order.
      const tracked = Array.from({ length: 1000 }, (_, n) =>
        trackingOf(`exp_${n}`, { dueAt: START + ((n * 7) % 1000) }),
      )
      await schedule.track(tracked)
      const claims: Claim[] = []
      for (let round = 0; round < 10; round++) {
        claims.push(...(await schedule.claim(START + 1000, roomFor(100))).claims)
      }
      expect(claims.map(({ dueAt }) => dueAt - START)).toEqual(
        Array.from({ length: 1000 }).map((_, n) => n),
      )
      expect((await schedule.claim(START + 1000, roomFor(100))).claims).toEqual([])
    })

    it('gives at once the exports that lie an hour ahead because the clock was set back', async () => {
      // Regression: after the clock was set back by an hour, no export was looked at for an hour.
      const HOUR = 3_600_000
      const later = START + HOUR
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: later + 5000 }),
        trackingOf('exp_B', { dueAt: later + 60_000 }),
      )
      expect(await claimIds(later)).toEqual([])
      expect((await claimIds(START)).sort()).toEqual(['exp_A', 'exp_B'])
      await schedule.track([trackingOf('exp_A', { dueAt: START + LONGEST_AHEAD_MS - 1 })])
      expect(await claimIds(START + 1)).toEqual([])
    })

    it('gives what was looked at an hour ahead before what is looked at from now on', async () => {
      // The clock was set back by an hour. The looks from before must not come last for that hour.
      const HOUR = 3_600_000
      const later = START + HOUR
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: later, lookedAt: later - 5000 }),
        trackingOf('exp_B', { dueAt: later, lookedAt: later - 6000 }),
      )
      expect(await claimIds(later, roomFor(1))).toEqual(['exp_B'])
      const first = await claimIds(START, roomFor(1))
      await schedule.track([trackingOf('exp_C', { dueAt: START + 1000, lookedAt: START + 500 })])
      const second = await claimIds(START + 1000, roomFor(1))
      expect([...first, ...second].sort()).toEqual(['exp_A', 'exp_B'])
    })

    it('gives what was looked at an hour ahead also when somebody begins to watch it meanwhile', async () => {
      // Regression: it was due then, so nothing saw that its last look lay in the future.
      const later = START + 3_600_000
      const { schedule, claimIds } = await setUp(
        trackingOf('exp_A', { dueAt: later + 5000, lookedAt: later }),
        trackingOf('exp_B', { dueAt: START, lookedAt: START - 1 }),
      )
      await watchAll(schedule, ['exp_A', 'exp_B'], START)
      const claim = await claimOne(schedule, START)
      expect(claim.ref.exportId).toBe('exp_B')
      await schedule.reschedule(claim, { ...claim, lookedAt: START + 10, dueAt: START + 10 })
      expect(await claimIds(START + 20, roomFor(1))).toEqual(['exp_A'])
    })

    it('gives the exports that lie an hour ahead also when nothing was claimed before', async () => {
      // Regression: in memory only a claim could see that the clock was set back.
      const { claimIds } = await setUp(trackingOf('exp_A', { dueAt: START + 3_600_000 }))
      expect(await claimIds(START)).toEqual(['exp_A'])
    })

    it('gives at once what was planned by a clock that was ahead only for a moment', async () => {
      // Regression: when no claim fell into that moment, nothing was looked at for an hour.
      const { schedule, claimIds } = await setUp()
      expect(await claimIds(START)).toEqual([])
      await schedule.track([trackingOf('exp_A', { dueAt: START + 3_600_000 })])
      expect(await claimIds(START + 1)).toEqual(['exp_A'])
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
      const { claimIds, schedule } = await setUp(trackingOf('exp_A'))
      expect(await schedule.reschedule(await claimOne(schedule, START), plan)).toBe(true)
      expect(await claimIds(plan.dueAt - 1)).toEqual([])
      expect(await claimOne(schedule, plan.dueAt)).toMatchObject({ ...plan, firstSeenAt: START })
    })

    it('takes from a plan only the fields of a plan', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await watchAll(schedule, ['exp_A'])
      // Here the plan is the claim itself. It says that nobody watches, which is no longer true.
      expect(await schedule.reschedule(claim, { ...claim, dueAt: START + 5000 })).toBe(true)
      expect(await findOne(schedule, 'exp_A')).toEqual({
        ...trackingOf('exp_A', { dueAt: START + 5000, lookedAt: claim.lookedAt }),
        watched: true,
      })
    })

    it('gives the export back unchanged when the claim itself is the plan', async () => {
      const tracking = trackingOf('exp_A', { dueAt: START - 90_000 })
      const { schedule } = await setUp(tracking)
      const claim = await claimOne(schedule, START)
      expect(await schedule.reschedule(claim, claim)).toBe(true)
      expect(await findOne(schedule, 'exp_A')).toEqual({ ...tracking, watched: false })
    })

    it('cannot be ended a second time', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      expect(await schedule.reschedule(claim, plan)).toBe(true)
      expect(await schedule.reschedule(claim, { ...plan, dueAt: START })).toBe(false)
      expect(await schedule.untrack(ref, claim.token)).toBe(false)
      expect(await findOne(schedule, 'exp_A')).toMatchObject(plan)
    })

    it('can still be ended after its time-out when nobody else has claimed the export', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      await schedule.claim(START + 2 * VISIBILITY_MS, roomFor(0))
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('changes nothing once somebody else has claimed the export', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const lost = await claimOne(schedule, START)
      const claim = await claimOne(schedule, START + VISIBILITY_MS)
      const before = await findOne(schedule, 'exp_A')
      expect(await schedule.reschedule(lost, plan)).toBe(false)
      expect(await schedule.untrack(ref, lost.token)).toBe(false)
      expect(await findOne(schedule, 'exp_A')).toEqual(before)
      expect(await schedule.reschedule(claim, plan)).toBe(true)
    })

    it('changes nothing once a look that was made outside of it is noted', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const lost = await claimOne(schedule, START)
      const look = trackingOf('exp_A', { dueAt: START + 3000 })
      await schedule.track([look])
      expect(await schedule.reschedule(lost, plan)).toBe(false)
      expect(await schedule.untrack(ref, lost.token)).toBe(false)
      expect(await findOne(schedule, 'exp_A')).toEqual({ ...look, watched: false })
    })

    it('changes nothing once the export is no longer tracked, and does not bring it back', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      const claim = await claimOne(schedule, START)
      expect(await schedule.untrack(ref)).toBe(true)
      expect(await schedule.reschedule(claim, plan)).toBe(false)
      expect(await schedule.untrack(ref, claim.token)).toBe(false)
      expect(await findOne(schedule, 'exp_A')).toBeUndefined()
    })

    it('changes nothing with a token that nobody was given', async () => {
      const { schedule } = await setUp(trackingOf('exp_A'))
      for (const token of ['', 'made up', 'undefined', 'null']) {
        expect(await schedule.reschedule({ ref, token, firstSeenAt: START }, plan)).toBe(false)
        expect(await schedule.untrack(ref, token)).toBe(false)
      }
      expect(await findOne(schedule, 'exp_A')).toEqual({ ...trackingOf('exp_A'), watched: false })
    })
  })
}
