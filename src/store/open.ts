import type { Store, StoreListener } from '../exports/ports.ts'
import { createFailover } from './failover/store.ts'
import type { FailoverOptions } from './failover/switch.ts'
import { createMemoryStore } from './memory/store.ts'
import { createRedisStore } from './redis/store.ts'
import { createSqliteStore, type SqliteStoreOptions } from './sqlite/store.ts'

/** The options of all stores together. Each store takes those that it needs. */
export type OpenStoreOptions = Omit<SqliteStoreOptions, 'path' | 'maxBytes'> &
  Partial<Pick<FailoverOptions, 'reserve' | 'beatMs' | 'remindMs' | 'onSwitch'>> & {
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

/**
 * Opens the store that `STORE_URL` names: `memory:`, `sqlite:PATH` with an absolute path or one
 * from the working directory, `redis://…` or `rediss://…`.
 *
 * @throws Error for any other URL. Its message does not show the URL, which may hold a password
 * `ready` of a store on Redis rejects with `StoreMisconfigured` when no waiting can help.
 *
 * @throws StoreInUse, StoreRefused or the system's error when the file cannot be used
 */
export const openStore = (url: string, options: OpenStoreOptions): Store => {
  if (url === 'memory:') return createMemoryStore(options)
  if (url.startsWith('sqlite:')) {
    return createSqliteStore({ ...options, path: pathOf(url.slice('sqlite:'.length)) })
  }
  if (/^rediss?:\/\//.test(url)) return openRedis(url, options)
  throw new Error('STORE_URL must be memory:, sqlite:PATH, redis:// or rediss://')
}

const openRedis = (url: string, options: OpenStoreOptions): Store => {
  const {
    prefix = 'leg',
    watchMs = 30_000,
    reserve = 0,
    storeFailed = () => {},
    onSwitch = () => {},
  } = options
  const { onEvicting = () => {}, limits, visibilityMs, scheduleLimits, beatMs, remindMs } = options
  let listener: StoreListener = { switched: () => {}, missed: () => {} }
  const primary = createRedisStore({
    url,
    prefix,
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

const pathOf = (path: string): string => {
  // In sqlite://data/x some people take `data` for a host and others for a folder, so this form is
  // refused. sqlite:///data/x is clear.
  if (path === '' || /^\/\/[^/]/.test(path)) {
    throw new Error(
      'STORE_URL must name a file: sqlite:data/gateway.sqlite or sqlite:/data/gateway.sqlite',
    )
  }
  if (path === ':memory:') throw new Error('STORE_URL for a store in memory is memory:')
  return path
}
