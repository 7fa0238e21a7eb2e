import { type ExportRef, keyOf } from '../export.ts'
import type { Observer } from '../ports.ts'
import type { Schedule, Tracking, Watched } from '../schedule.ts'
import { inSlices } from '../slices.ts'
import type { Alarm } from './alarm.ts'
import { nextLook, type PollIntervals } from './poll-policy.ts'

/** The last look at an export that somebody begins to watch. */
export interface LastLook {
  readonly ref: ExportRef
  /** Epoch milliseconds. */
  readonly firstSeenAt: number
  /** Epoch milliseconds. */
  readonly observedAt: number
}

/** An export that somebody begins to watch, or still watches when another schedule takes over. */
export interface Wanted {
  readonly ref: ExportRef
  /** Epoch milliseconds. Absent while lemlist has not confirmed that the export exists. */
  readonly firstSeenAt?: number
}

/**
 * When the next look at an adopted export comes at the latest. `in an interval` means the interval
 * of a young watched export, and `after a failure` the back-off after one failed look.
 */
export type Soon = 'at once' | 'in an interval' | 'in the longest interval' | 'after a failure'

/** Tells the schedule which exports are watched on this replica. */
export interface Attendance {
  /** Called when the first watcher of an export on this replica has come. */
  came(ref: ExportRef): void
  /** Called when the last watcher of an export on this replica has left. */
  left(ref: ExportRef): void
  /**
   * Called when somebody begins to watch exports that were looked at lately. Their next looks move
   * forward.
   */
  hasten(looks: readonly LastLook[]): Promise<void>
  /**
   * Tells the schedule that this replica watches these exports. The schedule begins to track those
   * that it does not track yet, so that the gateway asks lemlist about them until they are over.
   * Returns the exports that the schedule has no room for.
   */
  adopt(wanted: readonly Wanted[], soon: Soon): Promise<readonly ExportRef[]>
  /** Returns those of the exports that lemlist has not confirmed, as far as the schedule knows. */
  unconfirmed(refs: readonly ExportRef[]): Promise<readonly ExportRef[]>
  /**
   * Called at each heartbeat. `watchedNow` returns all exports that this replica watches. Returns
   * the exports that the schedule did not count as watched here, so it may have dropped them.
   */
  renew(watchedNow: () => readonly ExportRef[]): Promise<readonly ExportRef[]>
}

interface AttendanceOptions {
  readonly schedule: Pick<Schedule, 'watch' | 'unwatch' | 'adopt' | 'renew' | 'find'>
  readonly observer: Observer
  readonly intervals: PollIntervals
  readonly alarm: Pick<Alarm, 'set'>
  readonly isWatched: (ref: ExportRef) => boolean
  readonly now?: () => number
  /** Returns a number from 0 up to, but not including, 1. */
  readonly random?: () => number
}

export const createAttendance = (options: AttendanceOptions): Attendance => {
  const { schedule, observer, intervals, alarm, isWatched } = options
  const { now = Date.now, random = Math.random } = options
  /**
   * The exports whose first watcher came, or whose last watcher left, in this turn of the event
   * loop. The schedule is told of all of them together.
   */
  let changed = new Map<string, ExportRef>()

  const attempt = async <T>(operation: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      observer.storeFailed(operation, error)
      return undefined
    }
  }

  const tell = async (): Promise<void> => {
    const refs = [...changed.values()]
    changed = new Map()
    await inSlices(refs, async (slice) => {
      // The hub is asked in the turn of the event loop in which the calls are made. A store runs
      // calls in the order in which they are made. So when a watcher comes back later, the call
      // that tells so runs later, too.
      const here = slice.filter(isWatched).map((ref) => ({ ref }))
      const gone = slice.filter((ref) => !isWatched(ref))
      await Promise.all([
        here.length > 0 && attempt('schedule.watch', () => schedule.watch(here)),
        gone.length > 0 && attempt('schedule.unwatch', () => schedule.unwatch(gone)),
      ])
    })
  }

  const change = (ref: ExportRef): void => {
    if (changed.size === 0) setImmediate(() => void tell())
    changed.set(keyOf(ref), ref)
  }

  /**
   * Returns when the next look at a watched export comes, and the interval of the export.
   *
   * @param firstSeenAt what the schedule knows: another replica may have seen the export long
   * before this one
   */
  const timesAfter = (look: LastLook, firstSeenAt = look.firstSeenAt) => {
    const seenAt = Math.min(look.firstSeenAt, firstSeenAt)
    const looked = { now: look.observedAt, firstSeenAt: seenAt, watched: true, pending: true }
    const next = nextLook({ ...looked, failures: 0, random: random() }, intervals)
    return { dueBy: next.dueAt, intervalMs: next.intervalMs }
  }

  /** Returns when to look, and the interval of the export. */
  const timesOf = (soon: Soon, at: number): Pick<Tracking, 'dueAt' | 'intervalMs'> => {
    const { intervalMs, maxIntervalMs } = intervals
    if (soon === 'at once') return { dueAt: at, intervalMs }
    if (soon === 'in an interval') return { dueAt: at + intervalMs, intervalMs }
    if (soon === 'in the longest interval') return { dueAt: at + maxIntervalMs, intervalMs }
    const look = { now: at, firstSeenAt: at, watched: true, pending: true, random: random() }
    return nextLook({ ...look, failures: 1 }, intervals)
  }

  const trackingOf = ({ ref, firstSeenAt }: Wanted, soon: Soon): Tracking => {
    const at = now()
    return {
      ref,
      ...timesOf(soon, at),
      lookedAt: at,
      firstSeenAt: firstSeenAt ?? at,
      origin: firstSeenAt === undefined ? 'watched' : 'pending',
      misses: 0,
      failures: soon === 'after a failure' ? 1 : 0,
      agedLooks: 0,
    }
  }

  return {
    came: change,
    left: change,
    hasten: (looks) =>
      inSlices(looks, async (slice) => {
        const refs = slice.map(({ ref }) => ref)
        const known = await attempt('schedule.find', () => schedule.find(refs))
        const watched: Watched[] = slice.map((look, index) => ({
          ref: look.ref,
          ...timesAfter(look, known?.[index]?.firstSeenAt),
        }))
        const here = watched.filter(({ ref }) => isWatched(ref))
        await attempt('schedule.watch', () => schedule.watch(here))
        for (const { dueBy = Number.POSITIVE_INFINITY } of here) alarm.set(dueBy)
      }),
    adopt: async (wanted, soon) => {
      const refused: ExportRef[] = []
      await inSlices(wanted, async (slice) => {
        const here = slice.filter(({ ref }) => isWatched(ref))
        const trackings = here.map((one) => trackingOf(one, soon))
        if (trackings.length === 0) return
        refused.push(...((await attempt('schedule.adopt', () => schedule.adopt(trackings))) ?? []))
        for (const { dueAt } of trackings) alarm.set(dueAt)
      })
      if (refused.length > 0) observer.scheduleFull(refused.length)
      return refused
    },
    unconfirmed: async (refs) => {
      if (refs.length === 0) return []
      const known = await attempt('schedule.find', () => schedule.find(refs))
      return refs.filter((_, index) => (known?.[index]?.origin ?? 'watched') === 'watched')
    },
    renew: async (watchedNow) =>
      (await attempt('schedule.renew', () => schedule.renew(watchedNow))) ?? [],
  }
}
