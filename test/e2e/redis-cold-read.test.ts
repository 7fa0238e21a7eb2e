import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { isState } from '../helpers/event-connection.ts'
import { statusPath } from '../helpers/gateway.ts'
import { withoutRedis } from '../helpers/redis.ts'
import { LIMIT, read, start, WINDOW_MS } from '../helpers/redis-away.ts'
import { busiestWindow } from '../helpers/windows.ts'

/** Each replica says every 5 s that it lives, and counts the others then. */
const COUNTED_MS = 6_000

// Regression: each read of an export that nobody had read before was refused for a whole window.
describe.skipIf(withoutRedis)('when Redis hangs', () => {
  it('the first read of an unknown export on each of three replicas is answered', async () => {
    const fleet = await start(3)
    await fleet.all('ready')
    await delay(COUNTED_MS)
    const watched = fleet.gateways.map((gateway) => fleet.watch(gateway, fleet.pending()))
    await Promise.all(watched.map((stream) => stream.waitFor(isState('pending'))))
    const paths = fleet.gateways.map(() => statusPath(fleet.pending()))
    fleet.redis().pause()
    const began = performance.now()
    const reads = await Promise.all(
      fleet.gateways.map((gateway, index) => read(gateway, paths[index] ?? '')),
    )
    expect(reads.map(({ status, code, ms }) => [status, code, ms < 1_000])).toEqual(
      reads.map(() => [200, undefined, true]),
    )
    expect(performance.now() - began).toBeLessThan(WINDOW_MS + 1_000)
    await delay(2 * WINDOW_MS)
    fleet.redis().resume()
    const times = fleet.lemlist.calls.map(({ at }) => at)
    expect(busiestWindow(times, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
  })
})
