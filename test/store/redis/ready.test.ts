import { connect, createServer, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { describe, expect, it } from 'vitest'
import { listeningPort } from '../../helpers/listening-port.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'

/** An address of Redis that breaks its first connections, and passes the later ones on. */
const startBreaking = async (port: number, broken: number): Promise<string> => {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    connections += 1
    client.on('error', () => {})
    sockets.add(client)
    if (connections <= broken) return void client.resetAndDestroy()
    const redis = connect(port, '127.0.0.1').on('error', () => {})
    sockets.add(redis)
    client.pipe(redis).pipe(client)
  }).listen(0, '127.0.0.1')
  const own = await listeningPort(server, sockets)
  return `redis://127.0.0.1:${own}`
}

describe.skipIf(withoutRedis)('a store on Redis that has just begun to connect', () => {
  const server = sharedRedis()

  // Regression: the first connection that broke made a gateway start without a Redis that was well.
  it('is ready when the first connections break and the next ones do not', async () => {
    const url = await startBreaking(server().port, 4)
    const { store } = await openRedisStore({ url, prefix: freshPrefix() })
    expect(await store.healthy()).toBe(true)
    expect(store.updates.fault()).toBeUndefined()
  })

  // Regression: the time-outs fire first when a busy process goes on, so it never read that it had
  // been connected.
  it('is ready when the process was busy for longer than a connection may take', async () => {
    const at = { url: server().url, prefix: freshPrefix(), deadlineMs: 3_000 }
    const opening = openRedisStore(at)
    const busyUntil = performance.now() + 3_200
    while (performance.now() < busyUntil);
    const { store } = await opening
    expect(await store.healthy()).toBe(true)
  })

  it('is told at once that nobody listens', async () => {
    const redis = await startRedis()
    await redis.kill()
    // The store would wait for a minute.
    const opening = openRedisStore({ url: redis.url, prefix: freshPrefix(), deadlineMs: 60_000 })
    await expect(opening).rejects.toThrow('ECONNREFUSED')
  })
})
