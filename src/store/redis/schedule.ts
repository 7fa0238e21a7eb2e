import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { CallClass, Schedule, Tracked, Tracking } from '../../exports/schedule.ts'
import { DEFAULT_LIMITS, planOf, type ScheduleLimits } from '../tracked.ts'
import type { Redis } from './client.ts'
import { createClockShift } from './clock-shift.ts'
import { claimFrom, encodeRow, listedFrom, refFrom, trackedFrom } from './schedule-row.ts'

export interface RedisScheduleOptions {
  /** The account whose exports the schedule holds. Its name is part of every key. */
  readonly account: string
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  /** How long a replica counts as watching after its last renewal, milliseconds: two heartbeats. */
  readonly watchMs: number
  readonly limits?: Partial<ScheduleLimits> | undefined
  /** Epoch milliseconds. Rows hold times of Redis's clock. The scripts correct the difference. */
  readonly now: () => number
  /** Whether `now` is used in place of the clock of Redis. For tests that move time. */
  readonly moved?: boolean | undefined
}

/** A tracked export to put back into Redis, and what became of it while Redis was away. */
export interface Restoring {
  readonly tracking: Tracking
  /**
   * Absent when this replica has learnt nothing meanwhile. Then a row that Redis still has stays as
   * it is.
   */
  readonly meanwhile?: {
    /** The token of a claim from before, if the look of that claim has ended. */
    readonly token?: string | undefined
  }
}

export interface RedisSchedule extends Schedule {
  /**
   * Tracks exports that Redis has lost. A row that is still there stays as it is. With `meanwhile`,
   * however, its due time may move forward, and the claim with that token is over.
   */
  restore(rows: readonly Restoring[]): Promise<void>
}

type Script = Extract<keyof Redis['commands'], `schedule${string}`>

/** The most exports that one script handles: Redis does nothing else meanwhile. */
const SLICE = 500
/** The most exports of a class that one script claims. Callers may ask again. */
const MOST_CLAIMS = 1_000

/**
 * The `Schedule` of one account as a hash of rows, a sorted set of exports for each class, and for each
 * replica a set of the exports that it watches. A renewal prolongs the life of the whole set, and reads its
 * members. Each operation on up to 500 exports is one script.
 */
export const createRedisSchedule = (
  { commands, deadlineMs, run }: Redis,
  options: RedisScheduleOptions,
): RedisSchedule => {
  const { account, visibilityMs, watchMs, now, moved = false } = options
  const { maxTracked, maxUnconfirmed, longestAheadMs } = { ...DEFAULT_LIMITS, ...options.limits }
  // A claimed export is due when its claim ends.
  const aheadMs = Math.max(longestAheadMs, visibilityMs)
  // The name tells the other replicas how long this one may count as watching.
  const me = `${randomUUID()}.${watchMs}`
  const watchSet = `watch:${account}:${me}`
  const keys = [
    ...['rows', 'watched', 'idle', 'unconfirmed', 'watchers'].map(
      (part) => `schedule:${account}:${part}`,
    ),
    watchSet,
  ]

  const ask = (script: Script, ...values: readonly (string | number)[]): Promise<unknown> =>
    askAt(now(), script, values)
  const askAt = (
    time: number,
    script: Script,
    values: readonly (string | number)[],
  ): Promise<unknown> => {
    const head = [String(Math.round(time)), moved ? 'caller' : String(shift.value() ?? ''), me]
    return run(() => commands[script](keys, [...head, ...values.map(String)]))
  }

  const sliced = async <T>(
    items: readonly T[],
    work: (slice: readonly T[]) => Promise<void>,
  ): Promise<void> => {
    for (let from = 0; from < items.length; from += SLICE)
      await work(items.slice(from, from + SLICE))
  }

  const shift = createClockShift()
  /** The clock of Redis minus `performance.now()`, as the last claim saw it. */
  let redisAhead: number | undefined
  /** When this replica stops waiting for a claim, by Redis's clock. A later claim does nothing. */
  const claimBy = (): number | '' =>
    moved || redisAhead === undefined
      ? ''
      : Math.round(performance.now() + redisAhead + 2 * deadlineMs)

  const put = async (op: 'track' | 'adopt', trackings: readonly Tracking[]) => {
    const refused: ExportRef[] = []
    await sliced(trackings, async (slice) => {
      const rows = slice.flatMap((tracking) => [keyOf(tracking.ref), encodeRow(tracking)])
      const limits = [maxTracked, maxUnconfirmed, watchMs]
      const reply = await ask('scheduleTrack', op, ...limits, ...rows)
      for (const index of Array.isArray(reply) ? reply : []) {
        const tracking = slice[index]
        if (tracking !== undefined) refused.push(tracking.ref)
      }
    })
    return refused
  }

  const tell = (op: 'watch' | 'unwatch', values: readonly (string | number)[]) =>
    ask('scheduleWatch', op, watchMs, ...values)

  const watch: Schedule['watch'] = (watched) =>
    sliced(watched, async (slice) => {
      const values = slice.flatMap(({ ref, dueBy, intervalMs = 0 }) => [
        keyOf(ref),
        dueBy === undefined ? '' : Math.round(dueBy),
        Math.round(intervalMs),
      ])
      await tell('watch', values)
    })

  const unwatch: Schedule['unwatch'] = (refs) =>
    sliced(refs, async (slice) => {
      await tell('unwatch', slice.map(keyOf))
    })

  /** Reads the set in slices, because neither Redis nor this process may be busy for long. */
  const membersInRedis = async (): Promise<Set<string>> => {
    const members = new Set<string>()
    let cursor = '0'
    do {
      const from = cursor
      // Without a type mapping the client answers with texts.
      const page = (await run(() => commands.sScan(watchSet, from, { COUNT: SLICE }))) as {
        cursor: string
        members: string[]
      }
      for (const member of page.members) members.add(member)
      cursor = page.cursor
    } while (cursor !== '0')
    return members
  }

  /**
   * Compares all members, because a set of the right size may hold the wrong exports. Two thousand
   * members are 90 KB for each heartbeat. What to tell Redis is decided in the turn of the event
   * loop in which it is sent, because watchers come and go while the set is read.
   */
  const renew: Schedule['renew'] = async (watchedNow) => {
    await ask('scheduleWatch', 'renew', watchMs)
    const before = watchedNow()
    const members = await membersInRedis()
    const lost = before.filter((ref) => !members.delete(keyOf(ref)))
    await sliced(lost, async (slice) => {
      const keysNow = new Set(watchedNow().map(keyOf))
      await watch(slice.filter((ref) => keysNow.has(keyOf(ref))).map((ref) => ({ ref })))
    })
    await sliced([...members], async (slice) => {
      const keysNow = new Set(watchedNow().map(keyOf))
      await unwatch(slice.flatMap((key) => (keysNow.has(key) ? [] : (refFrom(key) ?? []))))
    })
    return lost
  }

  return {
    track: (trackings) => put('track', trackings),
    adopt: (trackings) => put('adopt', trackings),
    watch,
    unwatch,
    renew,
    claim: async (time, room) => {
      const most = (limit: number) => Math.min(Math.max(0, limit), MOST_CLAIMS)
      const limits = [most(room.watched), most(room.idle), most(room.unconfirmed)]
      const values = [...limits, visibilityMs, randomUUID(), claimBy(), aheadMs]
      const reply = await askAt(time, 'scheduleClaim', values)
      const [nextDueAt, claims, redisNow] = Array.isArray(reply) ? reply : []
      if (typeof redisNow === 'number') {
        redisAhead = redisNow - performance.now()
        shift.measured(redisNow - Math.round(time))
      }
      return {
        claims: Array.isArray(claims) ? claims.flatMap(claimFrom) : [],
        nextDueAt: timeFrom(nextDueAt),
      }
    },
    reschedule: async ({ ref, token }, plan) => {
      const values = ['reschedule', keyOf(ref), token, JSON.stringify(planOf(plan))]
      return (await ask('scheduleLook', ...values)) === 1
    },
    find: async (refs) => {
      const found: ReturnType<typeof trackedFrom>[] = []
      await sliced(refs, async (slice) => {
        const reply = await ask('scheduleLook', 'find', ...slice.map(keyOf))
        const rows: readonly unknown[] = Array.isArray(reply) ? reply : []
        found.push(...slice.map((ref, index) => trackedFrom(ref, rows[index])))
      })
      return found
    },
    newest: async ({ campaignId }, limit) => {
      const reply = await ask('scheduleLook', 'newest', campaignId, account, limit)
      return (Array.isArray(reply) ? reply : []).flatMap((pair: unknown) => {
        const [key, row] = Array.isArray(pair) ? pair : []
        const ref = refFrom(key)
        return (ref && trackedFrom(ref, row)) ?? []
      })
    },
    all: async () => {
      const found = new Map<string, Tracked>()
      let cursor = '0'
      do {
        const from = cursor
        // Without a type mapping the client answers with texts.
        const page = (await run(() =>
          commands.hScan(`schedule:${account}:rows`, from, { COUNT: SLICE }),
        )) as { cursor: string; entries: { field: string; value: string }[] }
        for (const { field, value } of page.entries) {
          const row = listedFrom(field, value)
          if (row !== undefined) found.set(field, row)
        }
        cursor = page.cursor
      } while (cursor !== '0')
      return [...found.values()]
    },
    count: async () => {
      const size = async (one: CallClass): Promise<number> =>
        Number(await run(() => commands.zCard(`schedule:${account}:${one}`)))
      const [watched, idle, unconfirmed] = await Promise.all([
        size('watched'),
        size('idle'),
        size('unconfirmed'),
      ])
      return { watched, idle, unconfirmed }
    },
    untrack: async (ref, token) => {
      // No claim has an empty token, and the script takes an empty one for no token at all.
      if (token === '') return false
      return (await ask('scheduleLook', 'untrack', keyOf(ref), token ?? '')) === 1
    },
    restore: (rows) =>
      sliced(rows, async (slice) => {
        const values = slice.flatMap(({ tracking, meanwhile }) => [
          ...[keyOf(tracking.ref), encodeRow(tracking)],
          ...[meanwhile === undefined ? '' : 'changed', meanwhile?.token ?? ''],
        ])
        await ask('scheduleRestore', ...values)
      }),
  }
}

/** A member that another program put into a set may have an infinite score. It is ignored. */
const timeFrom = (text: unknown): number | undefined =>
  typeof text === 'string' && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined
