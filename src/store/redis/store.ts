import type { BudgetLimits, Observer, Store } from '../../exports/ports.ts'
import { perAccount } from '../per-account.ts'
import type { ScheduleLimits } from '../tracked.ts'
import { createRedisBudget } from './budget.ts'
import { connectRedis, type RedisOptions } from './client.ts'
import { faultOfMode, RedisFault } from './fault.ts'
import { createRedisIdempotency, type RedisIdempotency } from './idempotency.ts'
import { createReplicas, type Replicas } from './replicas.ts'
import { createRedisResults } from './results.ts'
import { createRedisSchedule, type RedisSchedule } from './schedule.ts'
import { createRedisUpdates, type RedisUpdates } from './updates.ts'

export interface RedisStoreOptions extends RedisOptions {
  readonly limits: BudgetLimits
  readonly visibilityMs: number
  /** How long a replica counts as watching after its last renewal, milliseconds: two heartbeats. */
  readonly watchMs: number
  readonly scheduleLimits?: Partial<ScheduleLimits> | undefined
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  /** Replace Redis's clock in tests that move time: one of epoch, one of monotonic milliseconds. */
  readonly moved?: { readonly now: () => number; readonly monotonic: () => number } | undefined
  readonly storeFailed?: Observer['storeFailed']
  readonly onResubscribe?: () => void
}

/** The store that replicas share. While Redis is away, each call rejects within the deadline. */
export interface RedisStore extends Store {
  readonly idempotency: RedisIdempotency
  schedule(account: string): RedisSchedule
  readonly updates: RedisUpdates
  readonly replicas: Replicas
  /** Resolves when the store is connected. Rejects when that takes more than a second. */
  ready(): Promise<void>
  /** Tries a write, since a full or read-only server answers reads. @throws if Redis takes none */
  probe(): Promise<void>
  /**
   * Tries all that the gateway needs of Redis: its kind, a write, and each command.
   * @throws RedisFault, whose `cure` says what helps
   */
  inspect(): Promise<void>
  /** Returns the policy that lets Redis drop data that must be kept, or undefined if it is safe. */
  evictionPolicy(): Promise<string | undefined>
}

const PROBE_TTL_MS = 10_000
const PROBE_KEYS = ['probe', 'probe:list', 'probe:hash', 'probe:set', 'probe:sorted']
/** A policy is logged, so it must look like one. */
const POLICY = /^maxmemory_policy:([a-z-]{1,32})\r?$/m

export const createRedisStore = (options: RedisStoreOptions): RedisStore => {
  const {
    limits,
    visibilityMs,
    watchMs,
    moved,
    storeFailed = () => {},
    onResubscribe = () => {},
  } = options
  const now = moved?.now ?? options.now ?? Date.now
  const redis = connectRedis(options)
  const { commands, within } = redis
  const isMoved = moved !== undefined
  const replicas = createReplicas(redis)
  const schedules = perAccount((account) =>
    createRedisSchedule(redis, {
      ...{ account, visibilityMs, watchMs, now, moved: isMoved },
      limits: options.scheduleLimits,
    }),
  )
  let closed = false

  const probe = async (): Promise<void> => {
    await within(commands.set('probe', '1', { expiration: { type: 'PX', value: PROBE_TTL_MS } }))
  }

  const inspect = async (): Promise<void> => {
    const hello = await within(commands.hello())
    const other = faultOfMode(hello.mode)
    if (other !== undefined) throw other
    await probe()
    await within(commands.sScan('probe:set', '0'))
    const missing = await within(commands.missingRights(PROBE_KEYS, []))
    const names = Array.isArray(missing) ? missing.filter((name) => /^[A-Z]+$/.test(name)) : []
    if (names.length === 0) return
    throw new RedisFault(
      'NOPERM',
      `The user of STORE_URL may not run ${names.join(', ')} in Redis`,
      'rights',
    )
  }

  return {
    results: createRedisResults(redis, { now, storeFailed }),
    schedule: schedules.of,
    updates: createRedisUpdates(redis, {
      ...{ now, storeFailed, onResubscribe },
      // Whoever counts too few replicas would spend too much while Redis is away.
      onPeer: () => void replicas.beat().catch(() => {}),
    }),
    budget: createRedisBudget(redis, { limits, clock: moved?.monotonic }),
    idempotency: createRedisIdempotency(redis, { now, moved: isMoved, storeFailed }),
    replicas,
    probe,
    inspect,
    ready: redis.ready,
    healthy: () =>
      probe().then(
        () => !closed,
        () => false,
      ),
    evictionPolicy: async () => {
      const info = String(await within(commands.info('memory')))
      const policy = POLICY.exec(info)?.[1]
      return policy === 'noeviction' ? undefined : policy
    },
    close: async () => {
      if (closed) return
      closed = true
      redis.close()
    },
  }
}
