import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { fakeClock, withoutFaketime } from '../helpers/faked-clock.ts'
import { eventsPath, KEY } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'

const HOUR_S = 3_600
/** The interval is half a second. A busy machine takes longer. */
const SOON_MS = 15_000

type Clock = ReturnType<typeof fakeClock>

/** Its own clock goes on: redis-server hangs under libfaketime. The contract of the store moves it. */
const redisUrl = async (): Promise<string> => (await startRedis()).url

const STORES: [string, boolean, () => Promise<string>][] = [
  ['in memory', true, async () => 'memory:'],
  ['on SQLite', true, async () => `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`],
  ['on Redis', !withoutRedis, redisUrl],
]

const watchPending = async (storeUrl: string, { env }: Clock) => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const gateway = await spawnGateway({
    ...env,
    LEMLIST_API_KEY: KEY,
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: storeUrl,
    POLL_FIRST_MS: '200',
    POLL_INTERVAL_MS: '500',
    POLL_MAX_INTERVAL_MS: '500',
    DOCS: 'false',
  })
  const ref = lemlist.add({ outcome: 'never' })
  lemlist.progress(ref.exportId, 1, 2)
  const stream = openEvents(gateway.url + eventsPath(ref))
  onTestFinished(() => void stream.socket.destroy())
  await stream.waitFor(isState('pending'))
  return { lemlist, ref, stream }
}

// Regression: after the clock stepped back an hour, the gateway looked at nothing for an hour.
describe.skipIf(withoutFaketime)('when the wall clock steps while an export is watched', () => {
  it.each(STORES)('back an hour, the end is told all the same %s', async (_, isThere, open) => {
    if (!isThere) return
    const clock = fakeClock()
    const { lemlist, ref, stream } = await watchPending(await open(), clock)
    const before = lemlist.calls.length
    clock.set(-HOUR_S)
    await expect.poll(() => lemlist.calls.length, { timeout: SOON_MS }).toBeGreaterThan(before + 2)
    lemlist.finish(ref.exportId)
    await stream.waitFor(isState('done'))
  })
})
