import { vi } from 'vitest'
import type { ExportRef, Kept, Snapshot } from '../../../../src/exports/export.ts'
import { createAllowances } from '../../../../src/exports/reading/allowances.ts'
import type { Reading, ReadOptions } from '../../../../src/exports/reading/reader.ts'
import { createArrivals } from '../../../../src/exports/watching/arrivals.ts'
import { createHub } from '../../../../src/exports/watching/hub.ts'
import { createOpening } from '../../../../src/exports/watching/opening.ts'
import type { Topic } from '../../../../src/exports/watching/topic.ts'
import { createUpkeep } from '../../../../src/exports/watching/upkeep.ts'
import { createWatch } from '../../../../src/exports/watching/watch.ts'
import { Problem } from '../../../../src/problems.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { fakeObserver, fakeResults, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

/** Builds the watch of the gateway as `createAccount` does, on fakes of the parts that it asks. */

const INTERVALS = {
  firstMs: 1_000,
  intervalMs: 5_000,
  maxIntervalMs: 15_000,
  idleIntervalMs: 60_000,
}

export type Standing = 'followed' | 'young' | 'none'

export const start = () => {
  useFakeTime()
  const hub = createHub()
  const results = fakeResults()
  const observer = fakeObserver()
  /** What the other parts of the gateway know. The test sets it. */
  const known: {
    end: Reading | Problem | undefined
    stale: Kept | undefined
    /** The last status that this replica remembers. Default: that of `stale`. */
    newest: Snapshot | undefined
    /** The look that is under way. */
    landing: Promise<void> | undefined
    /** Whether the store that replicas share is away. */
    isAlone: boolean
    standing: Standing
    /** Whether the schedule has no room for another export. */
    isFull: boolean
    /** The exports that the schedule has lost by the next renewal. */
    lost: readonly ExportRef[]
    /** While this is set, `hasten` waits for it, as for a schedule that answers late. */
    schedule: Promise<void> | undefined
  } = {
    ...{ end: undefined, stale: undefined, standing: 'none', isFull: false },
    ...{ lost: [], schedule: undefined, newest: undefined },
    ...{ landing: undefined, isAlone: false },
  }
  const asked: string[] = []
  const reads: PromiseWithResolvers<Reading>[] = []
  const wanted: (() => boolean)[] = []
  const reader = {
    lookup: async () => {
      if (known.end instanceof Problem) throw known.end
      return known.end
    },
    lookupMany: async (refs: readonly unknown[]) => refs.map(() => known.end),
    read: (_: unknown, { isWanted = () => true }: ReadOptions = {}) => {
      const read = Promise.withResolvers<Reading>()
      reads.push(read)
      wanted.push(isWanted)
      return read.promise
    },
  }
  const attendance = {
    came: () => void asked.push('came'),
    left: () => void asked.push('left'),
    hasten: async (looks: readonly { firstSeenAt: number; observedAt: number }[]) => {
      for (const { firstSeenAt, observedAt } of looks) {
        asked.push(`hasten ${Date.now() - firstSeenAt} ${Date.now() - observedAt}`)
      }
      await known.schedule
    },
    unconfirmed: async (refs: readonly ExportRef[]) => (known.standing === 'none' ? refs : []),
    adopt: async (exports: readonly { ref: ExportRef; firstSeenAt?: number }[], soon: string) => {
      for (const { firstSeenAt } of exports) {
        const confirmed = firstSeenAt === undefined ? '' : ' as confirmed'
        asked.push(`adopt ${soon}${confirmed}`)
      }
      return known.isFull ? exports.map(({ ref }) => ref) : []
    },
    renew: async (watchedNow: () => readonly ExportRef[]) => {
      asked.push(`renew ${watchedNow().length}`)
      return known.lost
    },
  }
  const cache = {
    stale: () => known.stale,
    newest: () => known.newest ?? known.stale?.snapshot,
    hasSeen: () => known.stale !== undefined,
  }
  const allowances = createAllowances({ calls: 16, windowMs: 2_000 })
  const arrivals = createArrivals({ allowances, attendance, cache, hub })
  const watching = { hub, attendance, arrivals, observer, intervals: INTERVALS, cache }
  const follower = { standing: async () => known.standing }
  const looker = { landing: () => known.landing }
  const isAlone = () => known.isAlone
  const opening = createOpening({ ...watching, reader, follower, looker })
  const upkeep = createUpkeep({ ...watching, results })
  const watch = createWatch({ ...watching, opening, reader, isAlone })
  const join = (ref: ExportRef = REF) => {
    const told: string[] = []
    const subscriber = {
      changed: (topic: Topic) => void told.push(wordsOf(topic)),
      confirmed: (topic: Topic) => void told.push(`confirmed ${wordsOf(topic)}`),
    }
    const topic = watch.join(ref, subscriber)
    return { told, topic, subscriber, leave: () => watch.leave(ref, subscriber) }
  }
  const read = (number = 0) => {
    const found = reads[number]
    if (found === undefined) throw new Error(`there was no read ${number}`)
    return found
  }
  const settled = () => vi.advanceTimersByTimeAsync(0)
  /** What was asked of the attendance, without the watchers who came and left. */
  const planned = () => asked.filter((line) => line !== 'came' && line !== 'left')
  return {
    ...{
      watch,
      arrivals,
      upkeep,
      hub,
      results,
      observer,
      known,
      asked,
      planned,
      reads,
      wanted,
      read,
    },
    ...{ join, settled },
  }
}

const wordsOf = ({ snapshot, word }: Topic): string =>
  [snapshot?.state, word?.code].filter((part) => part !== undefined).join(' + ')

export const reading = (state: string, more: Partial<Reading> = {}): Reading => ({
  snapshot: snapshotOf(state, Date.now()),
  firstSeenAt: Date.now(),
  how: 'miss',
  ...more,
})
/** A pending observation of this age. The export was first seen `lifeMs` ago. */
export const observed = (ageMs: number, lifeMs = ageMs): Kept => ({
  snapshot: snapshotOf('pending', Date.now() - ageMs),
  firstSeenAt: Date.now() - lifeMs,
})
export const notFound = () => new Problem('export-not-found', 'unknown', { upstreamStatus: 404 })
export const timedOut = () => new Problem('export-timed-out', 'over')
export const down = () => new Problem('upstream-unavailable', 'down')
export const codeOf = (work: Promise<unknown> = Promise.resolve()) =>
  work.then(
    () => 'fine',
    (error: unknown) => (error instanceof Problem ? error.code : error),
  )
