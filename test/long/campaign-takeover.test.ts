import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { openCampaign } from '../helpers/campaigns.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway } from '../helpers/process.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { CAMPAIGN, startPath } from '../helpers/starts.ts'

const ROUNDS = 5

describe.skipIf(withoutRedis)('kill -9 of the replica that has started an export', () => {
  it('leaves the export on the open stream of another one, until it is done', async () => {
    const redis = await startRedis()
    const lemlist = createLemlist({
      ...{ apiKeys: ['key'], rateLimit: UNLIMITED, started: { durationMs: 1_500 } },
    })
    onTestFinished(() => lemlist.close())
    const env = {
      // As by default, the one that has started an export looks at it only after a second.
      ...{ ...FAST, POLL_FIRST_MS: '1000', STORE_URL: redis.url, LEMLIST_API_KEY: 'key' },
      ...{ LEMLIST_BASE_URL: await lemlist.listen(), LEMLIST_TIMEOUT_MS: '1000' },
    }
    lemlist.addCampaign(CAMPAIGN)
    const other = await spawnGateway(env)
    const stream = openCampaign(other.url)()
    await stream.until(() => stream.text() !== '')
    for (let round = 0; round < ROUNDS; round += 1) {
      const victim = await spawnGateway(env)
      const from = performance.now()
      const answer = await fetch(victim.url + startPath(), { method: 'POST' })
      const { id } = (await answer.json()) as { id: string }
      const ended = victim.end('SIGKILL')
      const { at } = await stream.waitFor(({ data }) => data.includes(id))
      measured(`on the stream ${Math.round(at - from)} ms after the call, started by a killed one`)
      expect(await ended).toBe('SIGKILL')
      const isDone = ({ data }: { readonly data: string }) =>
        data.includes(id) && data.includes('"status":"done"')
      await stream.waitFor(isDone)
    }
  }, 120_000)
})
