import { LRUCache } from 'lru-cache'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Claim, Schedule, Tracking, Watched } from '../../exports/schedule.ts'
import { createLocalSchedule } from '../local-schedule.ts'
import { createNewest } from '../newest.ts'
import type { RedisSchedule, Restoring } from '../redis/schedule.ts'
import type { RedisStore } from '../redis/store.ts'
import { isUnconfirmed, MAX_TRACKED, planOf } from '../tracked.ts'
import { createBacklog } from './backlog.ts'
import type { FailoverOptions, Restored, Switch } from './switch.ts'

/** Three hours, which is longer than the gateway follows an export that nobody watches. */
const KNOWN_MS = 3 * 3_600_000

interface Primary {
  readonly schedule: RedisSchedule
  readonly results: Pick<RedisStore['results'], 'getMany'>
}

/** A schedule that goes on in memory while Redis is away. */
export interface StandInSchedule extends Schedule, Restored {
  goAway(): void
}

type Meanwhile = NonNullable<Restoring['meanwhile']>

/**
 * The `Schedule` of one account in Redis. While Redis is away, a schedule in memory holds the exports
 * that are watched or started on this replica.
 */
export const createStandInSchedule = (
  { schedule: there, results }: Primary,
  { isUp, either }: Switch,
  { visibilityMs, scheduleLimits }: Pick<FailoverOptions, 'visibilityMs' | 'scheduleLimits'>,
): StandInSchedule => {
  const createHere = () => createLocalSchedule({ visibilityMs, limits: scheduleLimits })
  let here = createHere()
  /** The exports that this replica has followed, for a Redis that comes back empty. */
  const known = new LRUCache<string, Tracking>({
    max: MAX_TRACKED,
    ttl: KNOWN_MS,
    dispose: (_tracking, key, reason) => {
      if (reason !== 'set') newest.remove(key)
    },
  })
  const newest = createNewest()
  /**
   * The exports that changed while Redis was away, and those that ended. Each comes by a call to
   * lemlist, so after an outage of hours the oldest are forgotten. Redis then looks at them once more.
   */
  const changed = new LRUCache<string, Meanwhile>({ max: MAX_TRACKED })
  const ended = new LRUCache<string, Pick<Claim, 'ref'> & Meanwhile>({ max: MAX_TRACKED })

  const putAll = async (keys: readonly string[]): Promise<void> => {
    const ends = keys.flatMap((key) => ended.get(key) ?? [])
    for (const { ref, token } of ends) await there.untrack(ref, token)
    const rows = keys.flatMap((key) => {
      const tracking = known.get(key)
      return tracking === undefined ? [] : [{ key, tracking, meanwhile: changed.get(key) }]
    })
    // An export with a result is over: another replica has seen its end. It is not tracked again.
    const over = await results.getMany(rows.map(({ tracking }) => tracking.ref))
    const pending = rows.filter((_, index) => over[index] === undefined)
    await there.restore(
      pending.map(({ tracking, meanwhile }) => ({ tracking, ...(meanwhile && { meanwhile }) })),
    )
    // An entry that was replaced during the put stays, and is put again.
    for (const end of ends) if (ended.get(keyOf(end.ref)) === end) ended.delete(keyOf(end.ref))
    for (const { key, meanwhile } of rows) if (changed.get(key) === meanwhile) changed.delete(key)
  }
  const backlog = createBacklog(putAll, { name: 'exports-to-restore' })

  /**
   * Copies only the fields of a tracking, because a claim has more. An export that lemlist
   * has not confirmed is not kept, and is not put back into Redis.
   */
  const know = (tracking: Tracking): void => {
    if (isUnconfirmed(tracking)) return
    const { ref, firstSeenAt } = tracking
    known.set(keyOf(ref), { ...planOf(tracking), ref, firstSeenAt })
    newest.put(ref, firstSeenAt)
  }

  const change = (ref: ExportRef, meanwhile: Meanwhile = {}): void => {
    const key = keyOf(ref)
    changed.set(key, { ...changed.get(key), ...meanwhile })
    ended.delete(key)
    backlog.add(key)
  }

  const changeAll = (trackings: readonly Tracking[]): void => {
    for (const tracking of trackings) if (!isUnconfirmed(tracking)) change(tracking.ref)
  }

  /**
   * Somebody begins to watch exports that only Redis has tracked. Now this replica tracks them.
   * Those without `dueBy` are left out, because nothing says when to look at them.
   */
  const takeOver = async (watched: readonly Watched[]): Promise<void> => {
    const now = Date.now()
    const found = await here.find(watched.map(({ ref }) => ref))
    const trackings = watched.flatMap(({ ref, dueBy }, index): Tracking[] => {
      if (dueBy === undefined || found[index] !== undefined) return []
      const unknown = { origin: 'pending', firstSeenAt: now, lookedAt: now } as const
      const { origin, firstSeenAt, lookedAt } = known.get(keyOf(ref)) ?? unknown
      const times = { dueAt: dueBy, lookedAt, intervalMs: Math.max(1, dueBy - now) }
      const plan = { ...times, agedLooks: 0 }
      return [{ ref, ...plan, origin, firstSeenAt, misses: 0, failures: 0 }]
    })
    for (const tracking of trackings) know(tracking)
    changeAll(trackings)
    await here.adopt(trackings)
  }

  return {
    track: (trackings) => {
      for (const tracking of trackings) know(tracking)
      return either(
        () => there.track(trackings),
        () => {
          changeAll(trackings)
          return here.track(trackings)
        },
      )
    },
    adopt: (trackings) => {
      for (const tracking of trackings) if (!known.has(keyOf(tracking.ref))) know(tracking)
      return either(
        () => there.adopt(trackings),
        () => {
          changeAll(trackings)
          return here.adopt(trackings)
        },
      )
    },
    watch: (watched) =>
      either(
        () => there.watch(watched),
        async () => {
          await takeOver(watched)
          await here.watch(watched)
        },
      ),
    unwatch: (refs) => {
      const wasUp = isUp()
      return either(
        () => there.unwatch(refs),
        async () => {
          // The schedule in memory began with nothing watched when Redis went away. What it has been
          // told since then is newer than a call that has waited for Redis in vain.
          if (!wasUp) await here.unwatch(refs)
        },
      )
    },
    renew: (watchedNow) =>
      either(
        () => there.renew(watchedNow),
        () => here.renew(watchedNow),
      ),
    claim: async (now, room) => {
      const claimed = await either(
        () => there.claim(now, room),
        () => here.claim(now, room),
      )
      for (const claim of claimed.claims) know(claim)
      return claimed
    },
    reschedule: (claim, plan) => {
      const { ref, firstSeenAt } = claim
      const before = known.get(keyOf(ref))
      if (before !== undefined) know({ ...before, ...plan })
      /** An export that this look has confirmed is not known yet. */
      const learn = () => {
        if (before === undefined) know({ ref, firstSeenAt, ...plan })
      }
      return either(
        async () => {
          const held = await there.reschedule(claim, plan)
          if (held) learn()
          return held
        },
        () => {
          learn()
          if (!isUnconfirmed(plan)) change(claim.ref, { token: claim.token })
          return here.reschedule(claim, plan)
        },
      )
    },
    find: (refs) =>
      either(
        () => there.find(refs),
        () => here.find(refs),
      ),
    newest: (campaign, limit) =>
      either(
        () => there.newest(campaign, limit),
        async () => {
          const seen = newest.of(campaign, limit, (key) => known.has(key))
          const rows = seen.flatMap(({ ref }) => known.peek(keyOf(ref)) ?? [])
          // Some are in the schedule of Redis alone. Nobody here watches those.
          const own = await here.find(rows.map(({ ref }) => ref))
          return rows.map((row, index) => ({ ...row, watched: own[index]?.watched === true }))
        },
      ),
    all: () =>
      either(
        () => there.all(),
        () => here.all(),
      ),
    count: () =>
      either(
        () => there.count(),
        () => here.count(),
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
      here = createHere()
    },
    isSettled: backlog.isEmpty,
    settle: backlog.flush,
    recall: () => {
      for (const key of known.keys()) backlog.add(key)
    },
  }
}
