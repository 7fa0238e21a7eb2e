import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { spawnGateway } from '../helpers/process.ts'
import { startProgram } from '../helpers/program.ts'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.ts'
import { PASSWORD, RECOVERY_MS, read } from '../helpers/redis-away.ts'
import { bareClient } from '../helpers/redis-store.ts'
import { findSecret } from '../helpers/secret-search.ts'

const ENV = { LEMLIST_API_KEY: 'canary-key-4e1f9a7c3b5d', PORT: '0', DOCS: 'false' }
const LOCKED = ['--requirepass', PASSWORD]
/** What a Redis before 6.0 does: the error repeats the command, which holds the password. */
const NO_HELLO = ['--rename-command', 'HELLO', '', ...LOCKED]
const CLUSTER = ['--cluster-enabled', 'yes']

const withPassword = ({ port }: RedisServer, password = PASSWORD, database = '') =>
  `redis://:${password}@127.0.0.1:${port}${database}`

/** Something that answers each connection like a web server. */
const startWebServer = async (): Promise<string> => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `redis://127.0.0.1:${address.port}`
}

interface Case {
  readonly name: string
  readonly args: readonly string[]
  url(redis: RedisServer): string
}

const CASES: readonly Case[] = [
  {
    name: 'refuses the password',
    args: LOCKED,
    url: (redis) => withPassword(redis, 'another-canary-5a7e'),
  },
  { name: 'wants a password', args: LOCKED, url: ({ url }) => url },
  {
    name: 'lacks the database',
    args: LOCKED,
    url: (redis) => withPassword(redis, PASSWORD, '/99'),
  },
  { name: 'is a Cluster', args: CLUSTER, url: ({ url }) => url },
  { name: 'is a Cluster, with a database', args: CLUSTER, url: ({ url }) => `${url}/1` },
  { name: 'does not know HELLO', args: NO_HELLO, url: (redis) => withPassword(redis) },
  {
    name: 'has a command renamed',
    args: ['--rename-command', 'LPUSH', 'other'],
    url: ({ url }) => url,
  },
]

const startWith = (storeUrl: string) =>
  startProgram('main.ts', { env: { ...ENV, STORE_URL: storeUrl } })

// Regression: the gateway started, was degraded for ever and said so once, with the password of Redis
// where the error of Redis repeated it.
describe.skipIf(withoutRedis)('a gateway at whose start Redis', () => {
  it.each(CASES)('$name ends with 78, names STORE_URL and shows no secret', async (one) => {
    const redis = await startRedis({ args: one.args })
    const gateway = startWith(one.url(redis))
    expect(await gateway.ended).toBe(78)
    expect(gateway.err()).toContain('STORE_URL')
    expect(gateway.out()).not.toContain('listening')
    for (const secret of [PASSWORD, 'another-canary-5a7e']) {
      expect(findSecret(gateway.out() + gateway.err(), secret)).toEqual([])
    }
  })

  it('is a Sentinel ends with 78 and names STORE_URL', async () => {
    const redis = await startRedis({ isSentinel: true })
    const gateway = startWith(redis.url)
    expect(await gateway.ended).toBe(78)
    expect(gateway.err()).toMatch(/STORE_URL.*Sentinel/)
  })

  it('is no Redis ends with 78 and names STORE_URL', async () => {
    const gateway = startWith(await startWebServer())
    expect(await gateway.ended).toBe(78)
    expect(gateway.err()).toContain('STORE_URL')
  })
})

describe.skipIf(withoutRedis)('a gateway whose Redis', () => {
  const startReady = async (storeUrl: string) => {
    const gateway = await spawnGateway({ ...ENV, STORE_URL: storeUrl })
    const ready = async () => (await read(gateway, '/health/ready')).text
    expect(JSON.parse(await ready())).toMatchObject({ status: 'ready' })
    return { gateway, ready }
  }

  it('changes its password serves on, tells readiness, logs no secret and heals', async () => {
    const redis = await startRedis({ args: LOCKED })
    const admin = await bareClient({ url: withPassword(redis) })
    const { gateway, ready } = await startReady(withPassword(redis))
    await admin.configSet('requirepass', 'another-canary-5a7e')
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
    await admin.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
    await expect.poll(ready, { timeout: RECOVERY_MS }).toContain('"misconfigured"')
    await expect.poll(gateway.output, { timeout: RECOVERY_MS }).toContain('WRONGPASS')
    await admin.configSet('requirepass', PASSWORD)
    await expect.poll(ready, { timeout: RECOVERY_MS }).toContain('"ready"')
    expect(findSecret(gateway.output(), PASSWORD)).toEqual([])
  })

  it('is exchanged for one that does not know HELLO logs no secret', async () => {
    const redis = await startRedis({ args: LOCKED })
    const { gateway, ready } = await startReady(withPassword(redis))
    await redis.kill()
    await startRedis({ port: redis.port, args: NO_HELLO })
    await expect.poll(ready, { timeout: RECOVERY_MS }).toContain('"misconfigured"')
    await expect.poll(gateway.output, { timeout: RECOVERY_MS }).toContain('Redis is away')
    await gateway.end('SIGTERM')
    expect(findSecret(gateway.output(), PASSWORD)).toEqual([])
  })
})
