import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import {
  CALL_CLASSES,
  type CallClass,
  type Claim,
  type Origin,
  type PerClass,
  type Plan,
  type Schedule,
  type Tracking,
} from '../../src/exports/schedule.ts'
import { closedAfterTest } from './fixtures.ts'
import { refOf, START, VISIBILITY_MS } from './records.ts'

const IDS = ['exp_A', 'exp_B', 'exp_C', 'exp_D', 'exp_E']
const WEAKEST_FIRST: readonly Origin[] = ['watched', 'started', 'pending']

const id = fc.constantFrom(...IDS)
const moment = fc.integer({ min: 0, max: 60_000 }).map((ms) => START + ms)
const count = fc.nat(3)
const plan: fc.Arbitrary<Plan> = fc.record({
  dueAt: moment,
  // Looks are in the past.
  lookedAt: fc.nat(60_000).map((ms) => START - ms),
  intervalMs: fc.constantFrom(1, 5000, 60_000),
  origin: fc.constantFrom(...WEAKEST_FIRST),
  misses: count,
  failures: count,
  agedLooks: count,
})
const room: fc.Arbitrary<PerClass> = fc.record({ watched: count, idle: count, unconfirmed: count })

interface Twin {
  readonly tracking: Tracking
  readonly token?: string
  readonly hastened?: number
}

/** Runs the schedule together with a naive twin, which does exactly what the port's text says. */
const createPair = (schedule: Schedule, hastens: boolean) => {
  const twins = new Map<string, Twin>()
  const watched = new Set<string>()
  const claims: Claim[] = []
  let now = START

  const classOf = (id: string, { origin }: Plan): CallClass => {
    if (origin === 'watched') return 'unconfirmed'
    return watched.has(id) ? 'watched' : 'idle'
  }

  const expectTwins = async () => {
    const found = await schedule.find(IDS.map((id) => refOf(id)))
    const expected = IDS.map((id) => {
      const twin = twins.get(id)
      return twin && { ...twin.tracking, watched: watched.has(id) }
    })
    expect(found).toEqual(expected)
  }

  const hasten = (id: string, dueBy: number, intervalMs: number) => {
    const twin = twins.get(id)
    if (twin === undefined) return
    const { tracking, token } = twin
    if (token === undefined) {
      const dueAt = Math.min(tracking.dueAt, dueBy)
      twins.set(id, { ...twin, tracking: { ...tracking, dueAt } })
    } else if (hastens) {
      twins.set(id, {
        ...twin,
        hastened: Math.min(twin.hastened ?? Infinity, Math.max(dueBy, START + intervalMs)),
      })
    }
  }

  return {
    async track(id: string, plan: Plan, firstSeenAt: number) {
      const next = { ...plan, ref: refOf(id), firstSeenAt }
      // An unconfirmed export gets into the schedule only by `adopt`, for its watchers.
      if (plan.origin === 'watched' && !twins.has(id)) return
      await schedule.track([next])
      const kept = twins.get(id)?.tracking
      if (kept === undefined) twins.set(id, { tracking: next })
      else {
        const origins = [kept.origin, next.origin].map((origin) => WEAKEST_FIRST.indexOf(origin))
        const tracking = {
          ...next,
          origin: WEAKEST_FIRST[Math.max(...origins)] ?? next.origin,
          firstSeenAt: Math.min(kept.firstSeenAt, firstSeenAt),
        }
        twins.set(id, { tracking })
      }
      await expectTwins()
    },

    async adopt(id: string, plan: Plan, firstSeenAt: number) {
      const next = { ...plan, ref: refOf(id), firstSeenAt }
      await schedule.adopt([next])
      watched.add(id)
      if (twins.has(id)) hasten(id, next.dueAt, next.intervalMs)
      else twins.set(id, { tracking: next })
      await expectTwins()
    },

    async watch(ids: string[], afterMs: number | undefined) {
      const dueBy = afterMs === undefined ? undefined : now + afterMs
      await schedule.watch(
        ids.map((id) => ({ ref: refOf(id), ...(dueBy !== undefined && { dueBy }) })),
      )
      for (const id of ids) {
        watched.add(id)
        if (dueBy !== undefined) hasten(id, dueBy, 0)
      }
      await expectTwins()
    },

    async unwatch(ids: string[]) {
      await schedule.unwatch(ids.map((id) => refOf(id)))
      for (const id of ids) {
        watched.delete(id)
        if (twins.get(id)?.tracking.origin === 'watched') twins.delete(id)
      }
      await expectTwins()
    },

    async claim(room: PerClass) {
      const before = new Map(twins)
      const answer = await schedule.claim(now, room)
      for (const one of CALL_CLASSES) {
        const due = [...before]
          .filter(([id, { tracking }]) => classOf(id, tracking) === one && tracking.dueAt <= now)
          .map(([, { tracking }]) => tracking.lookedAt)
        const ofClass = answer.claims.filter(({ callClass }) => callClass === one)
        // Only the times are compared. Which of two equal ones comes first is not promised.
        const longest = due.sort((a, b) => a - b).slice(0, room[one])
        expect(ofClass.map(({ lookedAt }) => lookedAt)).toEqual(longest)
      }
      for (const { token, callClass, watched: isWatched, ...tracking } of answer.claims) {
        const { exportId } = tracking.ref
        expect(claims.map((claim) => claim.token)).not.toContain(token)
        expect(before.get(exportId)?.tracking).toEqual(tracking)
        expect([callClass, isWatched]).toEqual([classOf(exportId, tracking), watched.has(exportId)])
        const dueAt = now + VISIBILITY_MS
        twins.set(exportId, { tracking: { ...tracking, dueAt }, token })
      }
      expect(new Set(answer.claims.map(({ ref }) => ref.exportId)).size).toBe(answer.claims.length)
      claims.push(...answer.claims)
      const open = [...twins].filter(([id, { tracking }]) => {
        const one = classOf(id, tracking)
        return answer.claims.filter(({ callClass }) => callClass === one).length < room[one]
      })
      const dueTimes = open.map(([, { tracking }]) => tracking.dueAt)
      expect(answer.nextDueAt).toBe(dueTimes.length === 0 ? undefined : Math.min(...dueTimes))
      await expectTwins()
    },

    /** Ends one of the claims so far, which may be lost, with a plan or by `untrack`. */
    async end(which: number, plan: Plan | undefined) {
      const claim = claims.at(-1 - (which % Math.max(1, claims.length)))
      if (claim === undefined) return
      const { ref, token } = claim
      const twin = twins.get(ref.exportId)
      // Only an unconfirmed export gets the origin `watched` from a plan: the gateway never takes a
      // confirmation back.
      if (plan?.origin === 'watched' && twin?.tracking.origin !== 'watched') return
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
      await schedule.unwatch(IDS.map((id) => refOf(id)))
    },
  }
}

type Step = (pair: ReturnType<typeof createPair>) => Promise<void>

const ids = fc.uniqueArray(id)
const stepOf = <T>(
  values: fc.Arbitrary<T>,
  take: (...args: [...Parameters<Step>, T]) => Promise<void>,
) =>
  values.map(
    (value): Step =>
      (pair) =>
        take(pair, value),
  )

const step: fc.Arbitrary<Step> = fc.oneof(
  stepOf(fc.tuple(id, plan, moment), (pair, args) => pair.track(...args)),
  stepOf(fc.tuple(id, plan, moment), (pair, args) => pair.adopt(...args)),
  stepOf(fc.tuple(ids, fc.option(fc.nat(10_000), { nil: undefined })), (pair, args) =>
    pair.watch(...args),
  ),
  stepOf(ids, (pair, args) => pair.unwatch(args)),
  stepOf(room, (pair, args) => pair.claim(args)),
  stepOf(fc.tuple(fc.nat(5), fc.option(plan, { nil: undefined, freq: 3 })), (pair, args) =>
    pair.end(...args),
  ),
  stepOf(id, (pair, args) => pair.untrack(args)),
  stepOf(fc.nat(30_000), (pair, args) => pair.pass(args)),
)

/** The part of `describeSchedule` that makes random calls in random order. */
export const describeScheduleModel = (name: string, open: () => Store, hastens: boolean): void => {
  describe(`the schedule of ${name}, whatever is done with it,`, () => {
    it('does what its naive twin does', async () => {
      const schedule = closedAfterTest(open()).schedule('default')
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
