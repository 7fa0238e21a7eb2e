import { randomUUID } from 'node:crypto'
import { createClient } from '@redis/client'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { Observer, Store } from '../../src/exports/ports.ts'
import { perAccount } from '../../src/store/per-account.ts'
import {
  createRedisStore,
  type RedisStore,
  type RedisStoreOptions,
} from '../../src/store/redis/store.ts'
import { type RedisServer, startRedis } from './redis.ts'

/**
 * One Redis for all tests of a suite. Each test must use a key prefix of its own. Call this in the
 * body of a `describe`, not in a test.
 */
export const sharedRedis = (): (() => RedisServer) => {
  let server: RedisServer | undefined
  let stop = async (): Promise<void> => {}
  beforeAll(async () => {
    server = await startRedis({
      onEnd: (end) => {
        stop = end
      },
    })
  })
  afterAll(() => stop())
  return () => {
    if (server === undefined) throw new Error('Redis is there once the tests run')
    return server
  }
}

/**
 * The deadline of a store in tests that do not test the deadline. It is so long that a busy machine
 * does not make them fail.
 */
export const PATIENT_MS = 5_000

/** A key prefix that no other test has. */
export const freshPrefix = (): string => `test-${randomUUID()}`

/** Makes every call wait until the store is connected. A bare Redis store rejects earlier calls. */
export const onceConnected = (store: RedisStore): Store => {
  const connected = store.ready()
  // Every call that waits gets this rejection, so it must not count as an unhandled one as well.
  connected.catch(() => {})
  const wait = <T extends object>(port: T): T =>
    new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function' || name === 'listen') return method
        return async (...values: unknown[]) => {
          await connected
          return Reflect.apply(method, target, values)
        }
      },
    })
  return {
    ...store,
    results: wait(store.results),
    schedule: perAccount((account) => wait(store.schedule(account))).of,
    updates: wait(store.updates),
    budget: wait(store.budget),
    idempotency: wait(store.idempotency),
    healthy: async () => {
      await connected
      return store.healthy()
    },
  }
}

/**
 * Opens a store on that Redis and waits until it is connected. The store ends with the test.
 * `failures` are the operations that the store has reported as failed.
 */
export const openRedisStore = async (
  options: Omit<RedisStoreOptions, 'storeFailed' | 'limits' | 'visibilityMs' | 'watchMs'> &
    Partial<Pick<RedisStoreOptions, 'limits' | 'visibilityMs' | 'watchMs'>>,
) => {
  const failures: string[] = []
  const storeFailed: Observer['storeFailed'] = (operation) => void failures.push(operation)
  const limits = { calls: 16, windowMs: 2_000 }
  const given = {
    ...{ limits, visibilityMs: 20_000, watchMs: 30_000, deadlineMs: PATIENT_MS },
    ...options,
    storeFailed,
  }
  const store = createRedisStore(given)
  onTestFinished(() => store.close())
  await store.ready()
  return { store, failures }
}

/** A bare client, for commands that no store sends. */
export const bareClient = async ({ url }: Pick<RedisServer, 'url'>) => {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.destroy())
  return client
}

export type BareClient = Awaited<ReturnType<typeof bareClient>>
