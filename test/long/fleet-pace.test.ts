import { describe, it } from 'vitest'
import { watchTwenty, watchTwoHundred } from '../helpers/fleet/paces.ts'
import { withoutRedis } from '../helpers/redis.ts'

/** The default intervals of the gateway, and lemlist's own window. */
const WINDOW_MS = 2_000
const PACE = { firstMs: 1_000, intervalMs: 5_000, maxIntervalMs: 15_000 }

describe.skipIf(withoutRedis)('20 exports watched on three replicas for a minute', () => {
  it('have one poller each, keep their pace whoever polls them, and tell every follower', async () => {
    await watchTwenty({ ...PACE, windowMs: WINDOW_MS, seconds: 60 })
  })
})

describe.skipIf(withoutRedis)('200 exports watched on three replicas', () => {
  it('cost at most 16 calls in any 2 s over all of them, and use the budget', async () => {
    await watchTwoHundred({ windowMs: WINDOW_MS, seconds: 12, least: 0.9 })
  })
})
