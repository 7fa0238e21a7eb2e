import { connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { listeningPort } from '../../helpers/listening-port.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix } from '../../helpers/redis-store.ts'
import { isAway, openOn, ref, replicaOn, young } from './fixtures.ts'

/** An address that leads to one server now and to another one later. Old connections stay. */
const startAddress = async (port: number) => {
  let target = port
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const redis = connect(target, '127.0.0.1')
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.once('close', () => other.destroy())
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  const own = await listeningPort(server, sockets)
  return {
    url: `redis://127.0.0.1:${own}`,
    aim: (next: number) => {
      target = next
    },
  }
}

const setUp = async () => {
  const [old, standby] = [await startRedis(), await startRedis()]
  const address = await startAddress(old.port)
  const prefix = freshPrefix()
  return { old, standby, address, prefix, ...(await openOn(address.url, prefix, { beatMs: 500 })) }
}

// Regression: both connections stayed on the old primary for ever, and the gateway was degraded.
describe.skipIf(withoutRedis)('when the address of Redis moves to a standby', () => {
  it('the store connects anew to the standby, and hears there what others publish', async () => {
    const { old, standby, address, prefix, store, isBack } = await setUp()
    await store.results.put(ref, young('before'))
    const client = await bareClient(old)
    address.aim(standby.port)
    await client.sendCommand(['REPLICAOF', '127.0.0.1', String(standby.port)])
    await isAway({ store })
    await isBack()
    const other = await replicaOn(standby.url, prefix)
    expect((await other.results.get(ref))?.kind).toBe('final')
    const heard: string[] = []
    store.updates.listen((_, __, from) => void heard.push(from))
    await other.updates.publish(ref, { kind: 'status', snapshot: young('after').snapshot })
    await expect.poll(() => heard).toEqual(['elsewhere'])
  })

  it('the connection that listens follows the one that writes', async () => {
    const { old, standby, address, prefix, store, isBack } = await setUp()
    const client = await bareClient(old)
    address.aim(standby.port)
    // Only the connection that writes is cut. The old server goes on as a primary of its own.
    await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    const other = await replicaOn(standby.url, prefix)
    const heard: string[] = []
    store.updates.listen((_, __, from) => void heard.push(from))
    await expect
      .poll(
        async () => {
          await other.updates.publish(ref, { kind: 'status', snapshot: young('x').snapshot })
          return heard
        },
        { timeout: 20_000, interval: 200 },
      )
      .toContain('elsewhere')
    await isBack()
  })
})
