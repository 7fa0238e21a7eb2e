import { describe, expect, it } from 'vitest'
import { isState } from '../helpers/event-connection.ts'
import { withoutRedis } from '../helpers/redis.ts'
import { PASSWORD, RECOVERY_MS, read, start } from '../helpers/redis-away.ts'
import { bareClient } from '../helpers/redis-store.ts'
import { findSecret } from '../helpers/secret-search.ts'
import { describeOutage } from './redis-outage-contract.ts'

describeOutage({
  name: 'is killed and comes back empty',
  lastsMs: 2_000,
  begin: (redis) => redis.kill(),
  end: (fleet) => fleet.restart(),
})

describeOutage({
  name: 'stops for 4 s',
  lastsMs: 4_000,
  begin: async (redis) => redis.pause(),
  end: async (fleet) => fleet.redis().resume(),
})

describe.skipIf(withoutRedis)('a gateway whose Redis is absent at the start', () => {
  it('serves, says so, and joins when it is there', async () => {
    const fleet = await start(1)
    await fleet.redis().kill()
    const gateway = await fleet.spawn()
    expect((await read(gateway, '/health/ready')).text).toContain('degraded')
    const ref = fleet.pending()
    const stream = fleet.watch(gateway, ref)
    await stream.waitFor(isState('pending'))
    await fleet.restart()
    await expect
      .poll(async () => (await read(gateway, '/health/ready')).text, { timeout: RECOVERY_MS })
      .toContain('"ready"')
    const client = await bareClient({ url: fleet.storeUrl })
    expect(await client.hKeys('leg:schedule:default:rows')).toEqual([
      `default/${ref.campaignId}/${ref.exportId}`,
    ])
    fleet.lemlist.finish(ref.exportId)
    await stream.waitFor(isState('done'))
    expect(findSecret(gateway.output(), PASSWORD)).toEqual([])
  })
})
