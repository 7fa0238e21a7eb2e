import type { Store, StoreListener } from '../exports/ports.ts'
import { createFailover } from './failover/store.ts'
import type { FailoverOptions } from './failover/switch.ts'
import { createRedisStore, type RedisStoreOptions } from './redis/store.ts'

export type OpenRedisOptions = Pick<
  RedisStoreOptions,
  'limits' | 'visibilityMs' | 'scheduleLimits' | 'storeFailed' | 'deadlineMs'
> &
  Partial<Pick<FailoverOptions, 'reserve' | 'beatMs' | 'remindMs' | 'onSwitch' | 'bounds'>> & {
    /** The prefix of every key in Redis. Default `leg`. */
    readonly prefix?: string
    /**
     * How long a replica counts as watching after its last renewal, milliseconds: two heartbeats.
     * Default 30 s.
     */
    readonly watchMs?: number
    /** Called when a setting of Redis allows it to drop data that must be kept. */
    readonly onEvicting?: (policy: string) => void
  }

/** Opens the store on Redis, with a store in memory that replaces it while it is away. */
export const openRedis = (url: string, options: OpenRedisOptions): Store => {
  const {
    prefix = 'leg',
    watchMs = 30_000,
    reserve = 0,
    storeFailed = () => {},
    onSwitch = () => {},
  } = options
  const { onEvicting = () => {}, limits, visibilityMs, scheduleLimits } = options
  const { deadlineMs, beatMs, remindMs, bounds } = options
  let listener: StoreListener = { switched: () => {}, missed: () => {} }
  const primary = createRedisStore({
    url,
    prefix,
    deadlineMs,
    limits,
    visibilityMs,
    watchMs,
    scheduleLimits,
    storeFailed,
    onResubscribe: () => listener.missed(),
  })
  const warn = async (): Promise<void> => {
    const policy = await primary.evictionPolicy().catch(() => undefined)
    if (policy !== undefined) onEvicting(policy)
  }
  const store = createFailover(primary, {
    limits,
    reserve,
    visibilityMs,
    scheduleLimits,
    beatMs,
    remindMs,
    bounds,
    storeFailed,
    onSwitch: (to) => {
      // Redis may have been absent at the start, or another server may answer now.
      if (to === 'back') void warn()
      onSwitch(to)
      listener.switched()
    },
  })
  return {
    ...store,
    listen: (next) => {
      listener = next
    },
    ready: async () => {
      await store.ready?.()
      await warn()
    },
  }
}
