import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { campaignExportsPath, openCampaign, toldIds } from '../../helpers/campaigns.ts'
import { measured } from '../../helpers/fleet/measured.ts'
import { KEY, startGateway, statusPath } from '../../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../../helpers/pace.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix } from '../../helpers/redis-store.ts'
import { CAMPAIGN, startPath } from '../../helpers/starts.ts'
import { doneBody } from '../../helpers/status-bodies.ts'
import { named } from '../../helpers/watching.ts'

const setUp = async () => {
  const redis = await startRedis()
  const lemlist = createLemlist({
    ...{ apiKeys: [KEY], rateLimit: UNLIMITED, started: { outcome: 'never' } },
  })
  onTestFinished(() => lemlist.close())
  lemlist.addCampaign(CAMPAIGN)
  const env = {
    ...{ ...FAST, LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: redis.url, STORE_PREFIX: freshPrefix() },
    // A heartbeat would show the export sooner or later. None comes in time.
    SSE_HEARTBEAT_MS: '600000',
  }
  const [one, other] = [await startGateway({ env }), await startGateway({ env })]
  const listOf = async ({ url }: { readonly url: string }) => {
    const answer = await fetch(url + campaignExportsPath())
    return { text: await answer.text(), etag: answer.headers.get('etag') }
  }
  return { one, other, lemlist, listOf }
}

describe.skipIf(withoutRedis)('a campaign on two replicas that share a Redis', () => {
  it('has an export that one of them started on the open stream of the other, until it is done', async () => {
    const { one, other, lemlist, listOf } = await setUp()
    const stream = openCampaign(other.url)()
    await stream.until(() => stream.text() !== '')
    const from = performance.now()
    const answer = await fetch(one.url + startPath(), { method: 'POST' })
    const { id } = (await answer.json()) as { id: string }
    const { at } = await stream.waitFor(({ data }) => data.includes(id))
    measured(`an export on the stream of another replica after ${Math.round(at - from)} ms`)
    const body = doneBody({}, { campaignId: CAMPAIGN, exportId: id })
    lemlist.script({ exportId: id }, { body })
    await stream.waitFor(({ data }) => data.includes('"status":"done"'))
    expect(new Set(toldIds(stream))).toEqual(new Set([id]))
    // What is over is the same on both, byte for byte.
    const list = await listOf(one)
    expect(JSON.parse(list.text).exports).toMatchObject([{ exportId: id, state: 'done' }])
    expect(await listOf(other)).toEqual(list)
  })

  it('goes on for a client that comes back to the other one with its last id', async () => {
    const { one, other, lemlist } = await setUp()
    const know = async (exportId: string) => {
      lemlist.add({ campaignId: CAMPAIGN, exportId, durationMs: 0 })
      await fetch(one.url + statusPath({ campaignId: CAMPAIGN, exportId }))
    }
    await know('axp_A')
    const first = openCampaign(one.url)()
    const { id: lastEventId } = await first.waitFor(named('status'))
    const again = openCampaign(other.url)({ lastEventId })
    await again.until(() => again.text() !== '')
    await know('axp_B')
    await again.waitFor(({ data }) => data.includes('axp_B'))
    expect(toldIds(again)).toEqual(['axp_B'])
  })
})
