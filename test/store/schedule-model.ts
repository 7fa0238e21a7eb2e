import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Claim, Origin, Plan, Schedule, Tracking } from '../../src/exports/schedule.ts'
import { closedAfterTest } from './fixtures.ts'
import { refOf, START, VISIBILITY_MS } from './records.ts'

const IDS = ['exp_A', 'exp_B', 'exp_C', 'exp_D', 'exp_E']
const WEAKEST_FIRST: readonly Origin[] = ['watched', 'started', 'pending']

const id = fc.constantFrom(...IDS)
const moment = fc.integer({ min: 0, max: 60_000 }).map((ms) => START + ms)
const count = fc.nat(3)
const plan: fc.Arbitrary<Plan> = fc.record({
  dueAt: moment,
  intervalMs: fc.constantFrom(1, 5000, 60_000),
  origin: fc.constantFrom(...WEAKEST_FIRST),
  misses: count,
  failures: count,
})

/** Runs the schedule together with a naive twin, which does exactly what the port's text says. */
const createPair = (schedule: Schedule, hastens: boolean) => {
  const twins = new Map<string, { tracking: Tracking; token?: string; hastened?: number }>()
  const claims: Claim[] = []
  let now = START

  const deadline = ({ dueAt, intervalMs }: Plan) => dueAt + intervalMs

  const expectTwins = async () => {
    for (const id of IDS) expect(await schedule.find(refOf(id))).toEqual(twins.get(id)?.tracking)
  }

  return {
    async track(id: string, plan: Plan, firstSeenAt: number, watchedUntil: number) {
      const next = { ...plan, ref: refOf(id), firstSeenAt, watchedUntil }
      await schedule.track(next)
      const kept = twins.get(id)?.tracking
      if (kept === undefined) twins.set(id, { tracking: next })
      else {
        const origins = [kept.origin, next.origin].map((origin) => WEAKEST_FIRST.indexOf(origin))
        const tracking = {
          ...next,
          origin: WEAKEST_FIRST[Math.max(...origins)] ?? next.origin,
          firstSeenAt: Math.min(kept.firstSeenAt, firstSeenAt),
          watchedUntil: Math.max(kept.watchedUntil, watchedUntil),
        }
        twins.set(id, { tracking })
      }
      await expectTwins()
    },

    async watch(ids: string[], until: number, afterMs: number | undefined) {
      const dueBy = afterMs === undefined ? undefined : now + afterMs
      await schedule.watch(
        ids.map((id) => refOf(id)),
        until,
        dueBy,
      )
      for (const id of ids) {
        const twin = twins.get(id)
        if (twin === undefined) continue
        const { tracking, token } = twin
        // When the time of the claim is out, the export is already due and `dueBy` is no earlier.
        const dueAt =
          token === undefined ? Math.min(tracking.dueAt, dueBy ?? Infinity) : tracking.dueAt
        const watchedUntil = Math.max(tracking.watchedUntil, until)
        const hastened = Math.min(twin.hastened ?? Infinity, dueBy ?? Infinity)
        const tells = hastens && token !== undefined
        const next = { ...twin, tracking: { ...tracking, dueAt, watchedUntil } }
        twins.set(id, tells ? { ...next, hastened } : next)
      }
      await expectTwins()
    },

    async claim(limit: number) {
      const due = [...twins.values()].filter(({ tracking }) => tracking.dueAt <= now)
      const urgency = due.map(({ tracking }) => deadline(tracking)).sort((a, b) => a - b)
      const answer = await schedule.claim(now, limit)
      // Only deadlines are compared. Which of two equal ones comes first is not promised.
      expect(answer.claims.map(deadline)).toEqual(urgency.slice(0, limit))
      for (const { token, ...tracking } of answer.claims) {
        expect(claims.map((claim) => claim.token)).not.toContain(token)
        expect(due.map((twin) => twin.tracking)).toContainEqual(tracking)
        twins.set(tracking.ref.exportId, {
          tracking: { ...tracking, dueAt: now + VISIBILITY_MS },
          token,
        })
      }
      expect(new Set(answer.claims.map(({ ref }) => ref.exportId)).size).toBe(answer.claims.length)
      claims.push(...answer.claims)
      const dueTimes = [...twins.values()].map(({ tracking }) => tracking.dueAt)
      expect(answer.nextDueAt).toBe(twins.size === 0 ? undefined : Math.min(...dueTimes))
      await expectTwins()
    },

    /** Ends one of the claims so far, which may be lost, with a plan or by `untrack`. */
    async end(which: number, plan: Plan | undefined) {
      const claim = claims.at(-1 - (which % Math.max(1, claims.length)))
      if (claim === undefined) return
      const { ref, token } = claim
      const twin = twins.get(ref.exportId)
      const holds = twin?.token === token
      const answer =
        plan === undefined
          ? await schedule.untrack(ref, token)
          : await schedule.reschedule(claim, plan)
      expect(answer).toBe(holds)
      if (holds && plan === undefined) twins.delete(ref.exportId)
      else if (holds && plan !== undefined) {
        const dueAt = Math.min(plan.dueAt, twin.hastened ?? Infinity)
        twins.set(ref.exportId, { tracking: { ...twin.tracking, ...plan, dueAt } })
      }
      await expectTwins()
    },

    async untrack(id: string) {
      expect(await schedule.untrack(refOf(id))).toBe(twins.delete(id))
      await expectTwins()
    },

    async pass(ms: number) {
      now += ms
    },

    async clear() {
      for (const id of IDS) await schedule.untrack(refOf(id))
    },
  }
}

type Step = (pair: ReturnType<typeof createPair>) => Promise<void>

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(id, plan, moment, moment).map(
    (args): Step =>
      (pair) =>
        pair.track(...args),
  ),
  fc.tuple(fc.uniqueArray(id), moment, fc.option(fc.nat(10_000), { nil: undefined })).map(
    (args): Step =>
      (pair) =>
        pair.watch(...args),
  ),
  fc.nat(4).map(
    (limit): Step =>
      (pair) =>
        pair.claim(limit),
  ),
  fc.tuple(fc.nat(5), fc.option(plan, { nil: undefined, freq: 3 })).map(
    (args): Step =>
      (pair) =>
        pair.end(...args),
  ),
  id.map(
    (id): Step =>
      (pair) =>
        pair.untrack(id),
  ),
  fc.nat(30_000).map(
    (ms): Step =>
      (pair) =>
        pair.pass(ms),
  ),
)

/** The part of `describeSchedule` that makes random calls in random order. */
export const describeScheduleModel = (name: string, open: () => Store, hastens: boolean): void => {
  describe(`schedule of ${name}, whatever is done with it`, () => {
    it('does what its naive twin does', async () => {
      const { schedule } = closedAfterTest(open())
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
          const pair = createPair(schedule, hastens)
          try {
            for (const take of steps) await take(pair)
          } finally {
            await pair.clear()
          }
        }),
        { numRuns: 200, seed: 11 },
      )
    })
  })
}
