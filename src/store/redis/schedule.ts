import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Claim, Origin, Schedule, Tracking } from '../../exports/schedule.ts'
import { planOf } from '../tracked.ts'
import type { Redis } from './client.ts'

export interface RedisScheduleOptions {
  /** How long a claim keeps an export from being due, milliseconds: longer than any look takes. */
  readonly visibilityMs: number
  /** Epoch milliseconds. Rows hold times of Redis; a difference of the clocks is taken out. */
  readonly now: () => number
  /** The clock of the caller alone: for tests that move time. */
  readonly moved?: boolean | undefined
}

/** What became of it while Redis was away. */
export interface Meanwhile {
  /** Of the claim on it that was made before, when its look has ended. */
  readonly token?: string | undefined
}

export interface RedisSchedule extends Schedule {
  /**
   * Tracks what is not tracked any more. Whatever is there stays as it is, unless more was learnt
   * meanwhile: then its due time comes forward, and a claim that is over holds no longer.
   */
  restore(tracking: Tracking, meanwhile?: Meanwhile): Promise<void>
}

/** `Schedule` as a sorted set of due times and a hash of rows; each operation is one script. */
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

  /** The clock of Redis less `performance.now()`, as the last claim saw it. */
  let redisAhead: number | undefined
  /** After it, by the clock of Redis, nobody here waits for a claim any more. */
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
      // An empty token is one that nobody was given.
      if (token === '') return false
      return (await ask('untrack', now(), keyOf(ref), token ?? '')) === 1
    },
  }
}

/** In one script: Redis does nothing else meanwhile. Whoever wants more asks again. */
const MOST_CLAIMS = 1_000
/** So many are renewed in one script: Redis does nothing else meanwhile. */
const SLICE = 500

const rowOf = (tracking: Tracking) => ({
  ...planOf(tracking),
  firstSeenAt: Math.round(tracking.firstSeenAt),
  watchedUntil: Math.round(tracking.watchedUntil),
})

/** Nothing is due for ever, and no member of the set that somebody else put there at infinity is due. */
const timeFrom = (text: unknown): number | undefined =>
  typeof text === 'string' && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined

/** Others may write there: a row that is not of ours is none. */
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
    // Any object will do: each field is checked by whoever reads it.
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
