import { timedOut } from '../ends.ts'
import { type ExportRef, keyOf } from '../export.ts'
import type { Attendance, Soon } from '../following/attendance.ts'
import type { PollIntervals } from '../following/poll-policy.ts'
import type { Observer, ResultRecord, Results } from '../ports.ts'
import type { Cache } from '../reading/cache.ts'
import { inSlices, nextTurn } from '../slices.ts'
import type { Arrivals } from './arrivals.ts'
import type { Hub } from './hub.ts'
import type { Topic } from './topic.ts'

/**
 * Makes sure that watchers on this replica hear of changes, even when the store or the bus loses
 * data.
 */
export interface Upkeep {
  /**
   * Called at each heartbeat. Tells the schedule what this replica watches, and reads the ends that
   * the bus may have lost.
   */
  renew(): Promise<void>
  /** Called when another schedule is in use. Makes it track all that this replica watches. */
  rejoin(): Promise<void>
}

export interface UpkeepOptions {
  readonly hub: Pick<Hub, 'open' | 'dispatch'>
  readonly cache: Pick<Cache, 'stale'>
  readonly attendance: Pick<Attendance, 'renew' | 'adopt'>
  readonly arrivals: Pick<Arrivals, 'isWaiting'>
  readonly results: Pick<Results, 'getMany'>
  readonly observer: Observer
  readonly intervals: PollIntervals
  readonly now?: () => number
}

/**
 * After so many times the longest interval without news, the schedule may have lost an export. Or
 * it may hold the export as unwatched, with a due time that is too late.
 */
const SILENT_INTERVALS = 3

export const createUpkeep = (options: UpkeepOptions): Upkeep => {
  const { hub, cache, attendance, arrivals, results, observer, intervals } = options
  const now = options.now ?? Date.now

  const tellEnd = (ref: ExportRef, record: ResultRecord | undefined): void => {
    if (record?.kind === 'final') {
      hub.dispatch(ref, { kind: 'status', snapshot: record.snapshot }, 'elsewhere')
    } else if (record?.kind === 'timed-out') {
      const { code, message } = timedOut()
      hub.dispatch(ref, { kind: 'gone', code, detail: message }, 'elsewhere')
    }
  }

  const tellEnds = (topics: readonly Topic[]): Promise<void> =>
    inSlices(topics, async (slice) => {
      try {
        const refs = slice.map(({ ref }) => ref)
        const records = await results.getMany(refs)
        for (const [index, ref] of refs.entries()) tellEnd(ref, records[index])
      } catch (error) {
        observer.storeFailed('results.getMany', error)
      }
    })

  /** Makes the schedule track these exports, if it does not yet, and look at them soon. */
  const follow = async (topics: readonly Topic[], soon: Soon): Promise<void> => {
    // What waits for the allowance of a caller has no look before its time.
    const due = topics.filter(({ ref }) => !arrivals.isWaiting(ref))
    const wanted = due.map(({ ref, snapshot }) => {
      const firstSeenAt = cache.stale(ref)?.firstSeenAt ?? snapshot?.observedAt
      return firstSeenAt === undefined ? { ref } : { ref, firstSeenAt }
    })
    await attendance.adopt(wanted, soon)
  }

  const watchedNow = (): readonly ExportRef[] => hub.open().map(({ ref }) => ref)

  return {
    renew: async () => {
      const topics = hub.open()
      if (topics.length === 0) return
      await tellEnds(topics)
      await nextTurn()
      const lost = new Set((await attendance.renew(watchedNow)).map(keyOf))
      const open = hub.open()
      // The other replicas took these exports for unwatched. They may have dropped them, or planned
      // their next looks too late.
      await follow(
        open.filter(({ ref }) => lost.has(keyOf(ref))),
        'in an interval',
      )
      const silentMs = intervals.maxIntervalMs * SILENT_INTERVALS
      // After the clock was set back, `heardAt` may lie far in the future.
      const silent = open.filter(({ heardAt }) => Math.abs(now() - heardAt) >= silentMs)
      await follow(silent, 'in the longest interval')
    },
    rejoin: async () => {
      const topics = hub.open()
      // Another replica may have reached Redis before this one. It took these exports for
      // unwatched, so their next looks may be planned too late.
      await follow(topics, 'in an interval')
      await attendance.renew(watchedNow)
      await tellEnds(topics)
    },
  }
}
