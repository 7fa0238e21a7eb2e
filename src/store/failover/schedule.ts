import { LRUCache } from 'lru-cache'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Claim, Schedule, Tracking } from '../../exports/schedule.ts'
import { createMemorySchedule } from '../memory/schedule.ts'
import type { Meanwhile } from '../redis/schedule.ts'
import type { RedisStore } from '../redis/store.ts'
import { createBacklog } from './backlog.ts'
import type { FailoverOptions, Restored, Switch } from './switch.ts'

/** Three hours, which is longer than the gateway follows an export that nobody watches. */
const KNOWN_MS = 3 * 3_600_000
const MAX_KNOWN = 65_000

/**
 * `Schedule` in Redis. While Redis is away, a schedule in memory holds the exports that are watched
 * or started on this replica.
 */
export const createStandInSchedule = (
  primary: Pick<RedisStore, 'schedule' | 'results'>,
  { either }: Switch,
  { visibilityMs }: Pick<FailoverOptions, 'visibilityMs'>,
): Schedule & Restored & { goAway(): void } => {
  const there = primary.schedule
  let here = createMemorySchedule({ visibilityMs })
  /** The exports that this replica has followed, for a Redis that comes back empty. */
  const known = new LRUCache<string, Tracking>({ max: MAX_KNOWN, ttl: KNOWN_MS })
  /**
   * The exports that changed while Redis was away, and those that ended. The share of the budget
   * bounds both maps.
   */
  const changed = new Map<string, Meanwhile>()
  const ended = new Map<string, Pick<Claim, 'ref'> & Meanwhile>()

  const putAll = async (keys: readonly string[]): Promise<void> => {
    const ends = keys.flatMap((key) => ended.get(key) ?? [])
    for (const { ref, token } of ends) await there.untrack(ref, token)
    const rows = keys.flatMap((key) => {
      const tracking = known.get(key)
      return tracking === undefined ? [] : [{ key, tracking, meanwhile: changed.get(key) }]
    })
    // An export with a result is over: another replica has seen its end. It is not tracked again.
    const over = await primary.results.getMany(rows.map(({ tracking }) => tracking.ref))
    const pending = rows.filter((_, index) => over[index] === undefined)
    await Promise.all(pending.map(({ tracking, meanwhile }) => there.restore(tracking, meanwhile)))
    // An entry that was replaced during the put stays, and is put again.
    for (const end of ends) if (ended.get(keyOf(end.ref)) === end) ended.delete(keyOf(end.ref))
    for (const { key, meanwhile } of rows) if (changed.get(key) === meanwhile) changed.delete(key)
  }
  const backlog = createBacklog(putAll)

  const know = (tracking: Tracking): void => {
    const { ref, dueAt, intervalMs, origin, misses, failures, firstSeenAt, watchedUntil } = tracking
    const plain = { ref, dueAt, intervalMs, origin, misses, failures, firstSeenAt, watchedUntil }
    known.set(keyOf(ref), plain)
  }

  const change = (ref: ExportRef, meanwhile: Meanwhile = {}): void => {
    const key = keyOf(ref)
    changed.set(key, { ...changed.get(key), ...meanwhile })
    ended.delete(key)
    backlog.add(key)
  }

  const trackHere = async (tracking: Tracking): Promise<void> => {
    change(tracking.ref)
    await here.track(tracking)
  }

  /** Somebody begins to watch an export that only Redis has tracked. Now this replica tracks it. */
  const takeOver = async (ref: ExportRef, watchedUntil: number, dueAt: number): Promise<void> => {
    if ((await here.find(ref)) !== undefined) return
    const unknown = { misses: 0, failures: 0, origin: 'pending', firstSeenAt: Date.now() } as const
    const { misses, failures, origin, firstSeenAt } = known.get(keyOf(ref)) ?? unknown
    const intervalMs = Math.max(1, dueAt - Date.now())
    const plan = { dueAt, intervalMs, misses, failures, origin }
    const tracking = { ref, firstSeenAt, watchedUntil, ...plan }
    know(tracking)
    await trackHere(tracking)
  }

  return {
    track: async (tracking) => {
      know(tracking)
      await either(
        () => there.track(tracking),
        () => trackHere(tracking),
      )
    },
    watch: (refs, watchedUntil, dueBy) =>
      either(
        () => there.watch(refs, watchedUntil, dueBy),
        async () => {
          if (dueBy !== undefined) for (const ref of refs) await takeOver(ref, watchedUntil, dueBy)
          await here.watch(refs, watchedUntil, dueBy)
        },
      ),
    claim: async (now, limit) => {
      const claimed = await either(
        () => there.claim(now, limit),
        () => here.claim(now, limit),
      )
      for (const claim of claimed.claims) know(claim)
      return claimed
    },
    reschedule: (claim, plan) => {
      const before = known.get(keyOf(claim.ref))
      if (before !== undefined) know({ ...before, ...plan })
      return either(
        () => there.reschedule(claim, plan),
        () => {
          change(claim.ref, { token: claim.token })
          return here.reschedule(claim, plan)
        },
      )
    },
    find: (ref) =>
      either(
        () => there.find(ref),
        () => here.find(ref),
      ),
    untrack: (ref, token) => {
      known.delete(keyOf(ref))
      return either(
        () => there.untrack(ref, token),
        () => {
          ended.set(keyOf(ref), { ref, token })
          backlog.add(keyOf(ref))
          return here.untrack(ref, token)
        },
      )
    },
    goAway: () => {
      here = createMemorySchedule({ visibilityMs })
    },
    isSettled: backlog.isEmpty,
    settle: backlog.flush,
    recall: () => {
      for (const key of known.keys()) backlog.add(key)
    },
  }
}
