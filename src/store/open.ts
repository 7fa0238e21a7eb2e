import type { Store } from '../exports/ports.ts'
import { createMemoryStore } from './memory/store.ts'
import type { OpenRedisOptions } from './open-redis.ts'
import { createSqliteStore, type SqliteStoreOptions } from './sqlite/store.ts'

/** The options of all stores together. Each store takes those that it needs. */
export type OpenStoreOptions = Omit<SqliteStoreOptions, 'path' | 'maxBytes'> & OpenRedisOptions

/**
 * Opens the store that `STORE_URL` names: `memory:`, `sqlite:PATH` with an absolute path or one
 * from the working directory, `redis://…` or `rediss://…`.
 *
 * `ready` of a store on Redis rejects with `StoreMisconfigured` when no waiting can help.
 *
 * @throws Error for any other URL. Its message does not show the URL, which may hold a password
 * @throws StoreInUse, StoreRefused or the system's error when the file cannot be used
 */
export const openStore = async (url: string, options: OpenStoreOptions): Promise<Store> => {
  if (url === 'memory:') return createMemoryStore(options)
  if (url.startsWith('sqlite:')) {
    return createSqliteStore({ ...options, path: pathOf(url.slice('sqlite:'.length)) })
  }
  if (/^rediss?:\/\//.test(url)) {
    // The client library has 480 files. A gateway without Redis starts without them.
    const { openRedis } = await import('./open-redis.ts')
    return openRedis(url, options)
  }
  throw new Error('STORE_URL must be memory:, sqlite:PATH, redis:// or rediss://')
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
