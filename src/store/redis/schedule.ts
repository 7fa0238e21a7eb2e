import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Claim, Origin, Schedule, Tracking } from '../../exports/schedule.ts'
import { planOf } from '../tracked.ts'
import type { Redis } from './client.ts'

export interface RedisScheduleOptions {
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  /** Epoch milliseconds. Rows hold times of Redis's clock. The script corrects the difference. */
  readonly now: () => number
  /** Whether `now` is used in place of the clock of Redis. For tests that move time. */
  readonly moved?: boolean | undefined
}

/** What became of an export while Redis was away. */
export interface Meanwhile {
  /** The token of a claim from before, if the look of that claim has ended. */
  readonly token?: string | undefined
}

export interface RedisSchedule extends Schedule {
  /**
   * Tracks an export that Redis has lost. A row that is still there stays as it is. With
   * `meanwhile`, however, its due time may move forward, and the claim with that token is over.
   */
  restore(tracking: Tracking, meanwhile?: Meanwhile): Promise<void>
}

/** `Schedule` as a sorted set of due times and a hash of rows. Each operation is one script. */
export const createRedisSchedule = (
  { commands, deadlineMs, run }: Redis,
  { visibilityMs, now, moved = false }: RedisScheduleOptions,
): RedisSchedule => {
  const ask = (op: string, time: number, ...values: readonly (string | number)[]) =>
    run(() =>
      commands.schedule(
        ['due', 'rows'],
        [op, String(Math.round(time)), moved ? 'caller' : '', ...values.map(String)],
      ),
    )

  /** The clock of Redis minus `performance.now()`, as the last claim saw it. */
  let redisAhead: number | undefined
  /** When this replica stops waiting for a claim, by Redis's clock. A later claim does nothing. */
  const claimBy = (): string =>
    moved || redisAhead === undefined
      ? ''
      : String(Math.round(performance.now() + redisAhead + 2 * deadlineMs))

  return {
    track: async (tracking) => {
      await ask('track', now(), keyOf(tracking.ref), JSON.stringify(rowOf(tracking)))
    },
    restore: async (tracking, meanwhile) => {
      const row = JSON.stringify(rowOf(tracking))
      const changed = meanwhile === undefined ? '' : 'changed'
      await ask('restore', now(), keyOf(tracking.ref), row, changed, meanwhile?.token ?? '')
    },
    watch: async (refs, watchedUntil, dueBy) => {
      for (let from = 0; from < refs.length; from += SLICE) {
        const keys = refs.slice(from, from + SLICE).map(keyOf)
        const by = dueBy === undefined ? '' : Math.round(dueBy)
        await ask('watch', now(), Math.round(watchedUntil), by, ...keys)
      }
    },
    claim: async (time, limit) => {
      const most = Math.min(Math.max(0, limit), MOST_CLAIMS)
      const reply = await ask('claim', time, most, visibilityMs, randomUUID(), claimBy())
      const [nextDueAt, claims, redisNow] = Array.isArray(reply) ? reply : []
      if (typeof redisNow === 'number') redisAhead = redisNow - performance.now()
      return {
        claims: Array.isArray(claims) ? claims.flatMap(claimFrom) : [],
        nextDueAt: timeFrom(nextDueAt),
      }
    },
    reschedule: async ({ ref, token }, plan) => {
      const reply = await ask('reschedule', now(), keyOf(ref), token, JSON.stringify(planOf(plan)))
      return reply === 1
    },
    find: async (ref) => {
      const reply = await ask('find', now(), keyOf(ref))
      return trackingFrom(keyOf(ref), reply)
    },
    untrack: async (ref, token) => {
      // No claim has an empty token, and the script takes an empty one for no token at all.
      if (token === '') return false
      return (await ask('untrack', now(), keyOf(ref), token ?? '')) === 1
    },
  }
}

/** The most exports one script claims: Redis does nothing else meanwhile. Callers may ask again. */
const MOST_CLAIMS = 1_000
/** The most exports that one script renews: Redis does nothing else meanwhile. */
const SLICE = 500

const rowOf = (tracking: Tracking) => ({
  ...planOf(tracking),
  firstSeenAt: Math.round(tracking.firstSeenAt),
  watchedUntil: Math.round(tracking.watchedUntil),
})

/** A member that another program put into the set may have an infinite score. It is ignored. */
const timeFrom = (text: unknown): number | undefined =>
  typeof text === 'string' && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined

/** Other programs may write to Redis. A row that no gateway has written gives no claim. */
const claimFrom = (pair: unknown): Claim[] => {
  const [key, text] = Array.isArray(pair) ? pair : []
  const tracking = trackingFrom(key, text)
  const token = rowFrom(text)?.token
  return tracking !== undefined && typeof token === 'string' ? [{ ...tracking, token }] : []
}

const KEY = /^([^/]{1,64})\/(cam_[A-Za-z0-9]{1,64})\/([a-z]{3}_[A-Za-z0-9]{1,64})$/

const refFrom = (key: unknown): ExportRef | undefined => {
  const [, account, campaignId, exportId] = typeof key === 'string' ? (KEY.exec(key) ?? []) : []
  if (account === undefined || campaignId === undefined || exportId === undefined) return undefined
  return { account, campaignId, exportId }
}

const rowFrom = (text: unknown): Readonly<Record<string, unknown>> | undefined => {
  if (typeof text !== 'string') return undefined
  try {
    const row: unknown = JSON.parse(text)
    // The cast is safe for any object, because every reader of a field checks it.
    return typeof row === 'object' && row !== null ? (row as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const isOrigin = (value: unknown): value is Origin =>
  value === 'watched' || value === 'started' || value === 'pending'

const trackingFrom = (key: unknown, text: unknown): Tracking | undefined => {
  const ref = refFrom(key)
  const { origin, ...row } = rowFrom(text) ?? {}
  const times = [
    row.dueAt,
    row.intervalMs,
    row.misses,
    row.failures,
    row.firstSeenAt,
    row.watchedUntil,
  ]
  const numbers = times.filter((value): value is number => Number.isFinite(value))
  const [dueAt, intervalMs, misses, failures, firstSeenAt, watchedUntil] = numbers
  if (ref === undefined || !isOrigin(origin) || numbers.length < times.length) return undefined
  if (dueAt === undefined || intervalMs === undefined || misses === undefined) return undefined
  if (failures === undefined || firstSeenAt === undefined || watchedUntil === undefined)
    return undefined
  return { ref, dueAt, intervalMs, origin, misses, failures, firstSeenAt, watchedUntil }
}
