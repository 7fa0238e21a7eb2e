import { LRUCache } from 'lru-cache'
import { type ExportRef, keyOf } from '../exports/export.ts'
import type { Schedule, Tracking } from '../exports/ports.ts'
import type { FailoverOptions, Switch } from './failover.ts'
import { createMemorySchedule } from './memory-schedule.ts'
import type { RedisStore } from './redis/store.ts'

/** Three hours: longer than any export is followed that nobody watches. */
const KNOWN_MS = 3 * 3_600_000
const MAX_KNOWN = 65_000
const AT_ONCE = 50

/** `Schedule` on Redis; while it is away, one in memory for what is watched or started here. */
export const createStandInSchedule = (
  primary: Pick<RedisStore, 'schedule' | 'results'>,
  { either }: Switch,
  { visibilityMs }: Pick<FailoverOptions, 'visibilityMs'>,
): Schedule & { goAway(): void; restore(): Promise<void> } => {
  const there = primary.schedule
  let here = createMemorySchedule({ visibilityMs })
  /** What this replica has followed, for a Redis that comes back empty. */
  const known = new LRUCache<string, Tracking>({ max: MAX_KNOWN, ttl: KNOWN_MS })
  /** What ended while Redis was away. */
  const ended = new Map<string, ExportRef>()

  const know = (tracking: Tracking): void => {
    const { ref, dueAt, intervalMs, origin, misses, failures, firstSeenAt, watchedUntil } = tracking
    const plain = { ref, dueAt, intervalMs, origin, misses, failures, firstSeenAt, watchedUntil }
    known.set(keyOf(ref), plain)
    ended.delete(keyOf(ref))
  }

  const forget = (ref: ExportRef): void => {
    known.delete(keyOf(ref))
  }

  return {
    track: async (tracking) => {
      know(tracking)
      await either(
        () => there.track(tracking),
        () => here.track(tracking),
      )
    },
    watch: (refs, watchedUntil, dueBy) =>
      either(
        () => there.watch(refs, watchedUntil, dueBy),
        () => here.watch(refs, watchedUntil, dueBy),
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
        () => here.reschedule(claim, plan),
      )
    },
    find: (ref) =>
      either(
        () => there.find(ref),
        () => here.find(ref),
      ),
    untrack: (ref, token) => {
      forget(ref)
      return either(
        () => there.untrack(ref, token),
        async () => {
          ended.set(keyOf(ref), ref)
          return here.untrack(ref, token)
        },
      )
    },
    goAway: () => {
      here = createMemorySchedule({ visibilityMs })
    },
    restore: async () => {
      for (const [key, ref] of ended) {
        await there.untrack(ref)
        ended.delete(key)
      }
      const all = [...known.values()]
      for (let from = 0; from < all.length; from += AT_ONCE) {
        const slice = all.slice(from, from + AT_ONCE)
        // What another replica has seen the end of is not to be followed again.
        const over = await primary.results.getMany(slice.map(({ ref }) => ref))
        await Promise.all(
          slice.filter((_, index) => over[index] === undefined).map((one) => there.restore(one)),
        )
      }
    },
  }
}
