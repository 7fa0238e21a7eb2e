import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { withoutRedis } from '../../helpers/redis.ts'
import { isAway, setUp } from './fixtures.ts'

/** Less than the 250 ms for which one command waits for Redis. */
const LATER_MS = 150

describe.skipIf(withoutRedis)('when a command finds Redis gone', () => {
  // Regression: a cold read was refused, because the line stood behind a question to Redis whose
  // deadline came later than the read's patience ended.
  it('the budget no longer waits for the answer of Redis', async () => {
    const { redis, store } = await setUp()
    redis.pause()
    const found = isAway({ store })
    await delay(LATER_MS)
    const asked = store.budget.take('default', () => true).then(() => 'answered')
    const later = found.then(() => delay(LATER_MS / 3)).then(() => 'waits')
    expect(await Promise.race([asked, later])).toBe('answered')
    redis.resume()
    await asked
  })

  // Regression: a client was shown `pending` after `done`, because the replica that had shown `done`
  // was back from its outage a little later than this one.
  it('the store tells for a while after its return that other replicas may know more', async () => {
    const { redis, store, isBack } = await setUp()
    expect(store.isAway?.()).toBe(false)
    redis.pause()
    await isAway({ store })
    redis.resume()
    await isBack()
    expect(store.isAway?.()).toBe(true)
    await expect.poll(() => store.isAway?.(), { timeout: 10_000 }).toBe(false)
  })
})
