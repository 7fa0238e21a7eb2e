import type { ExportRef } from '../../src/exports/export.ts'
import type { Claim, Schedule, Tracking } from '../../src/exports/schedule.ts'
import { createMemorySchedule } from '../../src/store/memory/schedule.ts'
import { REF } from './status-bodies.ts'

export const VISIBILITY_MS = 15_000

export interface FakeSchedule extends Schedule {
  /** The names of the operations so far, in order. */
  readonly asked: string[]
  /** While this is set, every operation rejects with it. */
  failure: Error | undefined
  /** While this is set, `claim` waits for it before it answers. */
  gate: Promise<void> | undefined
  /** Tracks the scripted export, due now, and claims it. */
  claimed(tracking?: Partial<Tracking>): Promise<Claim>
  /** Claims the tracked export, whether it is due or not. */
  claimedAgain(): Promise<Claim>
}

/** The schedule of the memory store. A test can see what is asked of it and make it fail. */
export const fakeSchedule = (): FakeSchedule => {
  const rows = createMemorySchedule({ visibilityMs: VISIBILITY_MS })
  const asked: string[] = []
  const ask = <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    asked.push(operation)
    return fake.failure === undefined ? work() : Promise.reject(fake.failure)
  }
  const claimOne = async (): Promise<Claim> => {
    const [claim] = (await rows.claim(Number.POSITIVE_INFINITY, 1)).claims
    if (claim === undefined) throw new Error('nothing is tracked')
    return claim
  }
  const fake: FakeSchedule = {
    asked,
    failure: undefined,
    gate: undefined,
    track: (tracking) => ask('track', () => rows.track(tracking)),
    watch: (refs, until, dueBy) => ask('watch', () => rows.watch(refs, until, dueBy)),
    claim: (now, limit) =>
      ask('claim', async () => {
        const claimed = await rows.claim(now, limit)
        await fake.gate
        return claimed
      }),
    reschedule: (claim, plan) => ask('reschedule', () => rows.reschedule(claim, plan)),
    find: (ref) => ask('find', () => rows.find(ref)),
    untrack: (ref, token) => ask('untrack', () => rows.untrack(ref, token)),
    claimed: async (tracking) => {
      await rows.track(trackingOf(REF, tracking))
      return claimOne()
    },
    claimedAgain: claimOne,
  }
  return fake
}

/** An export that was first seen pending 10 s ago, has no watchers and is due now. */
export const trackingOf = (ref: ExportRef, fields: Partial<Tracking> = {}): Tracking => ({
  ref,
  dueAt: Date.now(),
  intervalMs: 5_000,
  origin: 'pending',
  misses: 0,
  failures: 0,
  firstSeenAt: Date.now() - 10_000,
  watchedUntil: 0,
  ...fields,
})
