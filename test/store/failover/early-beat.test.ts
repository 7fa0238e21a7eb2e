import { describe, expect, it } from 'vitest'
import { startFaultProxy } from '../../helpers/fleet/fault-proxy.ts'
import { createRandom } from '../../helpers/random.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix, PATIENT_MS } from '../../helpers/redis-store.ts'
import { openOn } from './fixtures.ts'

describe.skipIf(withoutRedis)('a store whose first beat is due before it is connected', () => {
  // Regression: that beat found no connection, so the store left a Redis that was only slow.
  it('does not leave Redis', async () => {
    const redis = await startRedis()
    const proxy = await startFaultProxy(redis.port, createRandom(1))
    proxy.slow(50)
    const url = `redis://127.0.0.1:${proxy.port}`
    const { store, switches } = await openOn(url, freshPrefix(), {
      beatMs: 10,
      deadlineMs: PATIENT_MS,
    })
    expect(await store.healthy()).toBe(true)
    expect(switches).toEqual([])
  })
})
