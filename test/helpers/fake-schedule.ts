import type { ExportRef } from '../../src/exports/export.ts'
import type { Claim, Schedule, Tracking } from '../../src/exports/schedule.ts'
import { createLocalSchedule } from '../../src/store/local-schedule.ts'
import { REF } from './status-bodies.ts'

export const VISIBILITY_MS = 15_000

export interface FakeSchedule extends Schedule {
  /** The names of the operations so far, in order. */
  readonly asked: string[]
  /** While this is set, every operation rejects with it. */
  failure: Error | undefined
  /** While this is set, `claim` waits for it before it answers. */
  gate: Promise<void> | undefined
  /** Tracks the scripted export, due now, and claims it. `watched`: on another replica. */
  claimed(tracking?: Partial<Tracking> & { readonly watched?: boolean }): Promise<Claim>
  /** Claims the tracked export, whether it is due or not. */
  claimedAgain(): Promise<Claim>
}

/** The schedule of the memory store. A test can see what is asked of it and make it fail. */
export const fakeSchedule = (): FakeSchedule => {
  const rows = createLocalSchedule({ visibilityMs: VISIBILITY_MS })
  const asked: string[] = []
  const ask = <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    asked.push(operation)
    return fake.failure === undefined ? work() : Promise.reject(fake.failure)
  }
  // This time lies after every due time that a test sets. It grows with each claim by more than the
  // visibility time-out, so an export whose claim was not ended is due again.
  let farAhead = 8e15
  const claimOne = async (): Promise<Claim> => {
    farAhead += 2 * VISIBILITY_MS
    const { claims } = await rows.claim(farAhead, { watched: 1, idle: 1, unconfirmed: 1 })
    const [claim] = claims
    if (claim === undefined) throw new Error('nothing is tracked')
    return claim
  }
  const fake: FakeSchedule = {
    asked,
    failure: undefined,
    gate: undefined,
    track: (trackings) => ask('track', () => rows.track(trackings)),
    adopt: (trackings) => ask('adopt', () => rows.adopt(trackings)),
    watch: (watched) => ask('watch', () => rows.watch(watched)),
    unwatch: (refs) => ask('unwatch', () => rows.unwatch(refs)),
    renew: (watchedNow) => ask('renew', () => rows.renew(watchedNow)),
    claim: (now, room) =>
      ask('claim', async () => {
        const claimed = await rows.claim(now, room)
        await fake.gate
        return claimed
      }),
    reschedule: (claim, plan) => ask('reschedule', () => rows.reschedule(claim, plan)),
    find: (refs) => ask('find', () => rows.find(refs)),
    newest: (...asked) => ask('newest', () => rows.newest(...asked)),
    all: () => ask('all', () => rows.all()),
    count: () => ask('count', () => rows.count()),
    untrack: (ref, token) => ask('untrack', () => rows.untrack(ref, token)),
    claimed: async ({ watched = false, ...tracking } = {}) => {
      if (watched) await rows.watch([{ ref: REF }])
      await rows.track([trackingOf(REF, tracking)])
      return claimOne()
    },
    claimedAgain: claimOne,
  }
  return fake
}

/**
 * An export that was first seen pending 10 s ago, has no watchers and is due now. Its last look was
 * one interval before its due time.
 */
export const trackingOf = (
  ref: ExportRef,
  { dueAt = Date.now(), intervalMs = 5_000, ...fields }: Partial<Tracking> = {},
): Tracking => ({
  ref,
  dueAt,
  lookedAt: dueAt - intervalMs,
  intervalMs,
  origin: 'pending',
  misses: 0,
  failures: 0,
  firstSeenAt: Date.now() - 10_000,
  agedLooks: 0,
  ...fields,
})
