import { randomUUID } from 'node:crypto'
import { type ExportRef, keyOf } from '../exports/export.ts'
import {
  CALL_CLASSES,
  type CallClass,
  type Claim,
  type Schedule,
  type Tracking,
} from '../exports/schedule.ts'
import { createDueQueue } from './due-queue.ts'
import { createNewest } from './newest.ts'
import {
  claimed,
  classOf,
  DEFAULT_LIMITS,
  hastened,
  isUnconfirmed,
  type Row,
  rescheduled,
  type ScheduleLimits,
  told,
  tracked,
} from './tracked.ts'

/** Writes down which exports the gateway must follow after a restart. */
export interface Journal {
  /**
   * Writes rows that are new or have changed, and drops keys that are not tracked any more.
   * Resolves once that is on the disk, or has failed. Must not reject, because the schedule goes on
   * without it.
   */
  write(rows: readonly Row[], dropped: readonly string[]): Promise<void>
}

export interface LocalScheduleOptions {
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  readonly limits?: Partial<ScheduleLimits> | undefined
  readonly journal?: Journal
  /** The rows of the exports that were followed before the restart. */
  readonly rows?: readonly Row[]
}

/**
 * `Schedule` of one process, in memory: a map of rows, and a queue for each class. No
 * other process shares it, so what is watched needs no renewal. It stays watched until `unwatch`.
 */
export const createLocalSchedule = (options: LocalScheduleOptions): Schedule => {
  const { visibilityMs, journal } = options
  const { maxTracked, maxUnconfirmed, longestAheadMs } = { ...DEFAULT_LIMITS, ...options.limits }
  // A claimed export is due when its claim ends.
  const aheadMs = Math.max(longestAheadMs, visibilityMs)
  const rows = new Map<string, Row>()
  const newest = createNewest()
  const watchedHere = new Set<string>()
  const queues = {
    watched: createDueQueue(),
    idle: createDueQueue(),
    unconfirmed: createDueQueue(),
  } satisfies Record<CallClass, unknown>
  /** No row is due later than this. */
  let latestDueAt = Number.NEGATIVE_INFINITY

  const put = (key: string, row: Row): void => {
    const own = classOf(row, watchedHere.has(key))
    for (const one of CALL_CLASSES) if (one !== own) queues[one].remove(key)
    rows.set(key, row)
    if (!isUnconfirmed(row)) newest.put(row.ref, row.firstSeenAt)
    queues[own].put(key, row)
    latestDueAt = Math.max(latestDueAt, row.dueAt)
  }

  const drop = (key: string): void => {
    for (const one of CALL_CLASSES) queues[one].remove(key)
    rows.delete(key)
    newest.remove(key)
  }

  const hasRoomFor = (tracking: Tracking): boolean =>
    rows.size < maxTracked &&
    (!isUnconfirmed(tracking) || queues.unconfirmed.size() < maxUnconfirmed)

  /** Puts the rows that there is room for. Returns the other exports. */
  const putAll = async (
    trackings: readonly Tracking[],
    merge: (tracking: Tracking, kept: Row | undefined) => Row,
  ): Promise<readonly ExportRef[]> => {
    const changed: Row[] = []
    const refused: ExportRef[] = []
    for (const tracking of trackings) {
      const key = keyOf(tracking.ref)
      const kept = rows.get(key)
      if (kept === undefined && !hasRoomFor(tracking)) {
        refused.push(tracking.ref)
        continue
      }
      const row = merge(tracking, kept)
      put(key, row)
      if (isNews(row, kept)) changed.push(row)
    }
    if (changed.length > 0) await journal?.write(changed, [])
    return refused
  }

  const watch = (key: string, dueBy?: number): void => {
    watchedHere.add(key)
    const row = rows.get(key)
    if (row !== undefined) put(key, hastened(row, dueBy))
  }

  const unwatch = (key: string): void => {
    watchedHere.delete(key)
    const row = rows.get(key)
    if (row === undefined) return
    if (isUnconfirmed(row)) drop(key)
    else put(key, row)
  }

  /**
   * When the clock was set back, times from before may lie hours ahead. Such exports are made due
   * now.
   */
  const mendClock = (now: number): void => {
    if (latestDueAt <= now + aheadMs) return
    latestDueAt = now
    for (const [key, row] of rows) {
      if (row.dueAt > now + aheadMs) {
        put(key, { ...row, dueAt: now, lookedAt: Math.min(row.lookedAt, now) })
      } else latestDueAt = Math.max(latestDueAt, row.dueAt)
    }
  }

  const claimClass = (one: CallClass, now: number, room: number): Claim[] => {
    const claims: Claim[] = []
    while (claims.length < room) {
      const key = queues[one].firstDue(now)
      const row = key === undefined ? undefined : rows.get(key)
      if (key === undefined || row === undefined) break
      const watched = watchedHere.has(key)
      const marks = { token: randomUUID(), watched, visibleAt: now + visibilityMs }
      const { claim, rest } = claimed(row, marks)
      put(key, rest)
      claims.push(claim)
    }
    return claims
  }

  for (const row of options.rows ?? []) put(keyOf(row.ref), row)

  return {
    async track(trackings) {
      return putAll(trackings, tracked)
    },
    async adopt(trackings) {
      for (const { ref } of trackings) watchedHere.add(keyOf(ref))
      return putAll(trackings, (tracking, kept) =>
        kept === undefined ? tracked(tracking) : hastened(kept, tracking.dueAt),
      )
    },
    async watch(watched) {
      for (const { ref, dueBy } of watched) watch(keyOf(ref), dueBy)
    },
    async unwatch(refs) {
      for (const ref of refs) unwatch(keyOf(ref))
    },
    async renew(watchedNow) {
      const refs = watchedNow()
      const keys = new Set(refs.map(keyOf))
      for (const key of watchedHere) if (!keys.has(key)) unwatch(key)
      const lost = refs.filter((ref) => !watchedHere.has(keyOf(ref)))
      for (const ref of lost) watch(keyOf(ref))
      return lost
    },
    async claim(now, room) {
      mendClock(now)
      const claims: Claim[] = []
      let nextDueAt: number | undefined
      for (const one of CALL_CLASSES) {
        const ofClass = claimClass(one, now, room[one])
        claims.push(...ofClass)
        const dueAt = queues[one].nextDueAt()
        if (ofClass.length >= room[one] || dueAt === undefined) continue
        if (nextDueAt === undefined || dueAt < nextDueAt) nextDueAt = dueAt
      }
      return { claims, nextDueAt }
    },
    async reschedule({ ref, token }, plan) {
      const key = keyOf(ref)
      const kept = rows.get(key)
      if (kept === undefined || kept.token !== token) return false
      const row = rescheduled(kept, plan)
      put(key, row)
      if (isNews(row, kept)) await journal?.write([row], [])
      return true
    },
    async find(refs) {
      return refs.map((ref) => {
        const key = keyOf(ref)
        const row = rows.get(key)
        return row === undefined ? undefined : told(row, watchedHere.has(key))
      })
    },
    newest: async (campaign, limit) =>
      newest.of(campaign, limit).flatMap(({ ref }) => {
        const key = keyOf(ref)
        const row = rows.get(key)
        return row === undefined ? [] : [told(row, watchedHere.has(key))]
      }),
    all: async () => [...rows].map(([key, row]) => told(row, watchedHere.has(key))),
    count: async () => ({
      watched: queues.watched.size(),
      idle: queues.idle.size(),
      unconfirmed: queues.unconfirmed.size(),
    }),
    async untrack(ref, token) {
      const key = keyOf(ref)
      const row = rows.get(key)
      if (row === undefined || (token !== undefined && row.token !== token)) return false
      drop(key)
      if (!isUnconfirmed(row)) await journal?.write([], [key])
      return true
    },
  }
}

/**
 * Whether a restart must know of this change. New due times and watchers are not written, because
 * they would cost a write for each look.
 */
const isNews = (row: Row, kept: Row | undefined): boolean =>
  !isUnconfirmed(row) &&
  (kept === undefined || kept.origin !== row.origin || kept.firstSeenAt !== row.firstSeenAt)
