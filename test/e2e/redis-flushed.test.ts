import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { isState, openEvents, stateOf } from '../helpers/event-connection.ts'
import { eventsPath, KEY, startGateway } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { bareClient } from '../helpers/redis-store.ts'

/** Replicas with this pace ask lemlist only when a client makes them. */
const SELDOM = {
  POLL_FIRST_MS: '60000',
  POLL_INTERVAL_MS: '60000',
  POLL_MAX_INTERVAL_MS: '60000',
  POLL_IDLE_INTERVAL_MS: '60000',
}

describe.skipIf(withoutRedis)('after FLUSHALL, a client that has seen `done`', () => {
  // Regression: the other replica had heard of the end. But it kept its observation of before, and
  // showed it once Redis no longer held the end.
  it('is not shown `pending` by another replica', async () => {
    const redis = await startRedis()
    const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
    const LEMLIST_BASE_URL = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const env = { ...SELDOM, LEMLIST_BASE_URL, STORE_URL: redis.url }
    const [one, other] = [await startGateway({ env }), await startGateway({ env })]
    const ref = lemlist.add({ outcome: 'never' })
    const open = ({ url }: typeof one, lastEventId?: string) => {
      const stream = openEvents(url + eventsPath(ref), {
        ...(lastEventId !== undefined && { lastEventId }),
      })
      onTestFinished(() => void stream.socket.destroy())
      return stream
    }
    const beside = open(other)
    await beside.waitFor(isState('pending'))
    lemlist.finish(ref.exportId)
    const read = await fetch(`${one.url}/campaigns/${ref.campaignId}/export/${ref.exportId}/status`)
    expect(await read.text()).toContain('done')
    const { id } = await beside.waitFor(isState('done'))
    await beside.ended
    const client = await bareClient(redis)
    await client.sendCommand(['FLUSHALL'])

    const stream = open(other, id)
    await stream.waitFor(({ event }) => event === 'end')
    expect(stream.events.map(stateOf)).toEqual(['done', undefined])
  })
})
