import { createClient } from '@redis/client'
import { expect, it } from 'vitest'
import { redisUrl, startRedis, withoutRedis } from '../helpers/redis.ts'

// Regression: a gateway of a test run that had been killed reached the Redis of a later fleet on a port
// that it remembered, and put the ends of its own exports there.
it.skipIf(withoutRedis)('the Redis of a fleet refuses a gateway of another fleet', async () => {
  const redis = await startRedis({ password: 'of-this-fleet' })
  const ping = async (url: string): Promise<string> => {
    const client = createClient({ url, socket: { reconnectStrategy: false } })
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.ping()
    } finally {
      client.destroy()
    }
  }
  expect(await ping(redis.url)).toBe('PONG')
  await expect(ping(redisUrl(redis.port, 'of-another-fleet'))).rejects.toThrow('WRONGPASS')
  await expect(ping(redisUrl(redis.port))).rejects.toThrow('NOAUTH')
})
