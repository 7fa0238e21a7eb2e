import { describe, it } from 'vitest'
import { readElsewhere, watchTwenty, watchTwoHundred } from '../helpers/fleet/paces.ts'
import { withoutRedis } from '../helpers/redis.ts'

/** At twice the pace of lemlist. `test/long` has the pace that users have. */
const WINDOW_MS = 1_000
const PACE = { firstMs: 250, intervalMs: 2_000, maxIntervalMs: 2_000 }

describe.skipIf(withoutRedis)('20 exports watched on three replicas', () => {
  it('have one poller each, keep their pace whoever polls them, and tell every follower', async () => {
    await watchTwenty({ ...PACE, windowMs: WINDOW_MS, seconds: 10 })
  })
})

describe.skipIf(withoutRedis)('200 exports watched on three replicas', () => {
  it('cost at most 16 calls in any window over all of them, and put the budget to use', async () => {
    await watchTwoHundred({ windowMs: WINDOW_MS, seconds: 6, least: 0.8 })
  })
})

describe.skipIf(withoutRedis)('an export that is watched on one replica', () => {
  // A read elsewhere planned the next look as if nobody watched, a minute off, or as if the export were new.
  it('is looked at in its interval also after reads on another', async () => {
    await readElsewhere({ firstMs: 300, intervalMs: 1_000, maxIntervalMs: 1_000 })
  })
})
