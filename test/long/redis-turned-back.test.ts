import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { isState, openEvents, stateOf } from '../helpers/event-connection.ts'
import {
  eventsPath,
  KEY,
  manyEventsPath,
  startGateway,
  statusPath,
  type TestGateway,
} from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { doneBody } from '../helpers/status-bodies.ts'

/** A replica with this pace asks lemlist only when a client makes it. So its view stays behind. */
const SLOW = {
  POLL_FIRST_MS: '60000',
  POLL_INTERVAL_MS: '60000',
  POLL_MAX_INTERVAL_MS: '60000',
  POLL_IDLE_INTERVAL_MS: '60000',
}

/** Two replicas have seen an export pending. Redis goes away, and one of them sees the end. */
const start = async () => {
  const redis = await startRedis()
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const LEMLIST_BASE_URL = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const env = { ...FAST, LEMLIST_BASE_URL, STORE_URL: redis.url }
  const quick = await startGateway({ env })
  const slow = await startGateway({ env: { ...env, ...SLOW } })
  const ref = lemlist.add({ outcome: 'never' })
  const open = ({ url }: TestGateway, path: string, lastEventId?: string) => {
    const stream = openEvents(url + path, { ...(lastEventId !== undefined && { lastEventId }) })
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  const one = open(quick, eventsPath(ref))
  const many = open(quick, manyEventsPath([ref]))
  const beside = open(slow, eventsPath(ref))
  await Promise.all([one, many, beside].map((stream) => stream.waitFor(isState('pending'))))

  await redis.kill()
  const readiness = async ({ url }: TestGateway) => (await fetch(`${url}/health/ready`)).text()
  for (const gateway of [quick, slow]) {
    await expect.poll(() => readiness(gateway), { timeout: 10_000 }).toContain('degraded')
  }
  lemlist.finish(ref.exportId)
  const { id } = await one.waitFor(isState('done'))
  const { id: stateId } = await many.waitFor(isState('done'))
  return { lemlist, ref, slow, id, stateId, open }
}

describe.skipIf(withoutRedis)('while Redis is away, a client that has seen `done`', () => {
  // Regression: the replica showed its own observation of before, `pending`, and then `done` again.
  it.each(['header', 'query', 'many'] as const)(
    'is not shown `pending` by another replica, which asks lemlist (id in: %s)',
    async (way) => {
      const { ref, slow, id, stateId, open } = await start()
      // The replica has a young observation, which it shows to others.
      const newcomer = open(slow, eventsPath(ref))
      expect(stateOf(await newcomer.waitFor(({ event }) => event === 'status'))).toBe('pending')

      const stream = {
        header: () => open(slow, eventsPath(ref), id),
        query: () => open(slow, `${eventsPath(ref)}?lastEventId=${id}`),
        many: () => open(slow, manyEventsPath([ref]), stateId),
      }[way]()
      await stream.waitFor(({ event }) => event === 'end')
      expect(stream.events.map(({ event }) => event)).toEqual(['status', 'end'])
      expect(stream.events.map(stateOf)).toEqual(['done', undefined])
      await newcomer.waitFor(isState('done'))
    },
  )

  it('is told of trouble, and not of `pending`, while lemlist cannot be asked', async () => {
    const { lemlist, ref, slow, id, stateId, open } = await start()
    lemlist.script({ exportId: ref.exportId }, { status: 500, body: 'trouble' })
    const ways = [open(slow, eventsPath(ref), id), open(slow, manyEventsPath([ref]), stateId)]
    await Promise.all(ways.map((stream) => stream.waitFor(({ event }) => event === 'problem')))
    // A caller's read gets no stale answer either.
    const read = async () => (await fetch(slow.url + statusPath(ref))).status
    expect(await read()).toBe(503)
    lemlist.script({ exportId: ref.exportId }, { body: doneBody({}, ref) })
    // Any look brings the end to everybody.
    await expect.poll(read, { timeout: 10_000 }).toBe(200)
    for (const stream of ways) {
      await stream.waitFor(({ event }) => event === 'end')
      expect(stream.events.map(stateOf)).toEqual([undefined, 'done', undefined])
    }
  })
})
