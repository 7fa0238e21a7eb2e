import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { campaignExportsPath } from '../../helpers/campaigns.ts'
import { KEY, startGateway } from '../../helpers/gateway.ts'
import { UNLIMITED } from '../../helpers/pace.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix } from '../../helpers/redis-store.ts'
import { CAMPAIGN, startPath } from '../../helpers/starts.ts'

const READS = 200

describe.skipIf(withoutRedis)('the list of a campaign with a pending export, on Redis,', () => {
  it('is the same at each read', async () => {
    // Regression: `firstSeenAt` moved by some milliseconds with the time that a request to Redis took,
    // so the list had another ETag at every fourth read.
    const redis = await startRedis()
    const lemlist = createLemlist({
      ...{ apiKeys: [KEY], rateLimit: UNLIMITED, started: { outcome: 'never' } },
    })
    onTestFinished(() => lemlist.close())
    lemlist.addCampaign(CAMPAIGN)
    const store = { STORE_URL: redis.url, STORE_PREFIX: freshPrefix() }
    const slow = {
      POLL_FIRST_MS: '60000',
      POLL_INTERVAL_MS: '60000',
      POLL_MAX_INTERVAL_MS: '60000',
    }
    const env = { LEMLIST_BASE_URL: await lemlist.listen(), ...store, ...slow }
    const { url } = await startGateway({ env })
    await fetch(url + startPath(), { method: 'POST' })
    const tags = new Set<string | null>()
    for (let read = 0; read < READS; read += 1) {
      const answer = await fetch(url + campaignExportsPath())
      expect(JSON.parse(await answer.text()).exports).toHaveLength(1)
      tags.add(answer.headers.get('etag'))
    }
    expect(tags.size).toBe(1)
  })
})
