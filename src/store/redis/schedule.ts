import { randomUUID } from 'node:crypto'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Claim, Origin, Plan, Schedule, Tracking } from '../../exports/ports.ts'
import type { Redis } from './client.ts'

export interface RedisScheduleOptions {
  /** How long a claim keeps an export from being due, milliseconds: longer than any look takes. */
  readonly visibilityMs: number
  /** Epoch milliseconds. Rows hold times of Redis; a difference of the clocks is taken out. */
  readonly now: () => number
  /** The clock of the caller alone: for tests that move time. */
  readonly moved?: boolean | undefined
}

export interface RedisSchedule extends Schedule {
  /** Tracks what is not tracked yet; whatever is there stays as it is. */
  restore(tracking: Tracking): Promise<void>
}

/** `Schedule` as a sorted set of due times and a hash of rows; each operation is one script. */
export const createRedisSchedule = (
  { commands, within }: Redis,
  { visibilityMs, now, moved = false }: RedisScheduleOptions,
): RedisSchedule => {
  const run = (op: string, time: number, ...values: readonly (string | number)[]) =>
    within(
      commands.schedule(
        ['due', 'rows'],
        [op, String(Math.round(time)), moved ? 'caller' : '', ...values.map(String)],
      ),
    )

  const put = async (op: 'track' | 'restore', tracking: Tracking): Promise<void> => {
    const { ref, firstSeenAt, watchedUntil, ...plan } = tracking
    const row = {
      ...planOf(plan),
      firstSeenAt: Math.round(firstSeenAt),
      watchedUntil: Math.round(watchedUntil),
    }
    await run(op, now(), keyOf(ref), JSON.stringify(row))
  }

  return {
    track: (tracking) => put('track', tracking),
    restore: (tracking) => put('restore', tracking),
    watch: async (refs, watchedUntil, dueBy) => {
      for (let from = 0; from < refs.length; from += SLICE) {
        const keys = refs.slice(from, from + SLICE).map(keyOf)
        const by = dueBy === undefined ? '' : Math.round(dueBy)
        await run('watch', now(), Math.round(watchedUntil), by, ...keys)
      }
    },
    claim: async (time, limit) => {
      const tokens = Array.from({ length: Math.max(0, limit) }, () => randomUUID())
      const reply = await run('claim', time, tokens.length, visibilityMs, ...tokens)
      const [nextDueAt, claims] = Array.isArray(reply) ? reply : []
      return {
        claims: Array.isArray(claims) ? claims.flatMap(claimFrom) : [],
        nextDueAt:
          typeof nextDueAt === 'string' && nextDueAt !== '' ? Number(nextDueAt) : undefined,
      }
    },
    reschedule: async ({ ref, token }, plan) => {
      const reply = await run('reschedule', now(), keyOf(ref), token, JSON.stringify(planOf(plan)))
      return reply === 1
    },
    find: async (ref) => {
      const reply = await run('find', now(), keyOf(ref))
      return trackingFrom(keyOf(ref), reply)
    },
    untrack: async (ref, token) => (await run('untrack', now(), keyOf(ref), token ?? '')) === 1,
  }
}

/** So many are renewed in one script: Redis does nothing else meanwhile. */
const SLICE = 500

const planOf = ({ dueAt, intervalMs, origin, misses, failures }: Plan): Plan => ({
  dueAt: Math.round(dueAt),
  intervalMs: Math.round(intervalMs),
  origin,
  misses,
  failures,
})

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
