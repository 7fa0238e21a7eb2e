import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { listeningPort } from '../../helpers/listening-port.ts'
import { withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'

/** An address of Redis that can hold back what the connection that listens would hear. */
const startHolding = async (port: number) => {
  let open = Promise.withResolvers<void>()
  open.resolve()
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1')
    let listens = false
    for (const socket of [client, redis]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.on('data', (bytes: Buffer) => {
      listens ||= bytes.includes('SUBSCRIBE')
      redis.write(bytes)
    })
    redis.on('data', async (bytes: Buffer) => {
      if (listens) await open.promise
      client.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  const own = await listeningPort(server, sockets)
  return {
    url: `redis://127.0.0.1:${own}`,
    hold: () => {
      open = Promise.withResolvers()
    },
    letGo: () => open.resolve(),
  }
}

// Regression: the second check took the place of the first, which then waited in vain for its message.
// So the store was not healthy for a while, and connected anew to a Redis that was well.
describe.skipIf(withoutRedis)('two checks of the messages at the same time', () => {
  const server = sharedRedis()

  it('are both heard, when the second begins before the message of the first has come', async () => {
    const way = await startHolding(server().port)
    const { store } = await openRedisStore({ url: way.url, prefix: freshPrefix() })
    await store.updates.check()
    way.hold()
    const first = store.updates.check()
    // Redis answers in order: it has taken the message of the first check.
    expect(await store.healthy()).toBe(true)
    const second = store.updates.check()
    expect(await store.healthy()).toBe(true)
    way.letGo()
    await Promise.all([first, second])
    expect(store.updates.fault()).toBeUndefined()
  })
})
