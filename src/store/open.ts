import type { Store } from '../exports/ports.ts'
import { createMemoryStore } from './memory.ts'
import { createSqliteStore, type SqliteStoreOptions } from './sqlite.ts'

/** What any store may be given; each takes what it has a use for. */
export type OpenStoreOptions = Omit<SqliteStoreOptions, 'path' | 'maxBytes'>

/**
 * Opens the store that `STORE_URL` names: `memory:`, or `sqlite:PATH` with a path from the working
 * directory.
 *
 * @throws Error for any other url, without the url: a wrong one may hold a password
 * @throws StoreInUse, StoreRefused or the system's error when the file cannot be used
 */
export const openStore = (url: string, options: OpenStoreOptions): Store => {
  if (url === 'memory:') return createMemoryStore(options)
  if (url.startsWith('sqlite:')) {
    return createSqliteStore({ ...options, path: pathOf(url.slice('sqlite:'.length)) })
  }
  throw new Error('STORE_URL must be memory: or sqlite:PATH')
}

const pathOf = (path: string): string => {
  // sqlite://data/x reads as a host to some and as a path to others; sqlite:///data/x is clear.
  if (path === '' || /^\/\/[^/]/.test(path)) {
    throw new Error(
      'STORE_URL must name a file: sqlite:data/gateway.sqlite or sqlite:/data/gateway.sqlite',
    )
  }
  if (path === ':memory:') throw new Error('STORE_URL for a store in memory is memory:')
  return path
}
