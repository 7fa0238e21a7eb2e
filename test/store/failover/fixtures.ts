import { performance } from 'node:perf_hooks'
import { expect, onTestFinished } from 'vitest'
import type { BudgetLimits } from '../../../src/exports/ports.ts'
import { openStore } from '../../../src/store/open.ts'
import { createRedisStore } from '../../../src/store/redis/store.ts'
import { startRedis } from '../../helpers/redis.ts'
import { type BareClient, bareClient, freshPrefix, PATIENT_MS } from '../../helpers/redis-store.ts'
import { bodySaying, finalOf, HOUR, refOf, trackingOf } from '../records.ts'

/** Helpers for stores on a Redis that goes away. */

export const LIMITS = { calls: 16, windowMs: 400 }
export const RESERVE = 4
export const VISIBILITY_MS = 20_000
/** Nothing waits longer than 250 ms for Redis. The other 950 ms are for a busy machine. */
export const DEADLINE_MS = 250 + 950
export const ref = refOf('exp_A')
export const soon = () => ({
  inProgressUntil: Date.now() + 45_000,
  forgetAt: Date.now() + 24 * HOUR,
})
export const young = (text: string) => {
  const { snapshot, ...record } = finalOf(text)
  const endOfLife = Date.now() + 24 * HOUR
  const forgetAt = endOfLife + 24 * HOUR
  const body = bodySaying(snapshot.state, text)
  return { ...record, snapshot: { ...snapshot, body, observedAt: Date.now(), endOfLife }, forgetAt }
}

interface OpenOptions {
  readonly beatMs?: number
  readonly remindMs?: number
  readonly deadlineMs?: number | undefined
  readonly limits?: BudgetLimits
}

/** Opens a store as the gateway does. `failures` are what its log would say, with the operation. */
export const openOn = async (url: string, prefix: string, options: OpenOptions = {}) => {
  const failures: string[] = []
  const switches: string[] = []
  const switchedAt: number[] = []
  const policies: string[] = []
  const store = await openStore(url, {
    limits: LIMITS,
    ...options,
    storeFailed: (operation, error) => void failures.push(`${operation}: ${error}`),
    reserve: RESERVE,
    visibilityMs: VISIBILITY_MS,
    prefix,
    onSwitch: (to) => {
      switches.push(to)
      switchedAt.push(performance.now())
    },
    onEvicting: (policy) => void policies.push(policy),
  })
  onTestFinished(() => store.close())
  await store.ready?.()
  const isBack = () => expect.poll(() => store.healthy(), { timeout: 20_000 }).toBe(true)
  return { store, switches, switchedAt, policies, failures, isBack }
}

/** Opens the store of another replica, which shows what is really in Redis. */
export const replicaOn = async (url: string, prefix: string) => {
  const options = { limits: LIMITS, visibilityMs: VISIBILITY_MS, watchMs: 30_000 }
  const store = createRedisStore({ url, prefix, deadlineMs: PATIENT_MS, ...options })
  onTestFinished(() => store.close())
  await store.ready()
  return store
}

export const took = async <T>(work: Promise<T>): Promise<{ ms: number; value: T }> => {
  const began = performance.now()
  const value = await work
  return { ms: performance.now() - began, value }
}

export const configure = (client: BareClient, name: string, value: string) =>
  client.sendCommand(['CONFIG', 'SET', name, value])

export const setUp = async (options: OpenOptions = {}) => {
  const redis = await startRedis()
  const prefix = freshPrefix()
  const client = await bareClient(redis)
  return { redis, prefix, client, ...(await openOn(redis.url, prefix, options)) }
}
type Given = Awaited<ReturnType<typeof setUp>>

/** Makes the store meet the outage, by one operation. */
export const isAway = async ({ store }: Pick<Given, 'store'>) => {
  await store.schedule('default').track([trackingOf('exp_met', { dueAt: Date.now() + 60_000 })])
  expect(await store.healthy()).toBe(false)
}
