import { get as httpGet } from 'node:http'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { type EventConnection, isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { type RedisServer, startRedis, withoutRedis } from '../helpers/redis.ts'
import { type BareClient, bareClient } from '../helpers/redis-store.ts'
import { findSecret } from '../helpers/secret-search.ts'
import { busiestWindow } from '../helpers/windows.ts'

const KEY = 'canary-key-4e1f9a7c3b5d'
const PASSWORD = 'canary-password-8d2c6f0b1a'
const LIMIT = 20
const CALLS = 16
const WINDOW_MS = 2_000
/** What the way to lemlist and this machine may take off a window. */
const JITTER_MS = 300
const MOST_MS = 500
const RECOVERY_MS = 5_000
const INTERVAL_MS = 1_000

type Ref = { readonly campaignId: string; readonly exportId: string }

interface Read {
  readonly status: number
  readonly code: string | undefined
  readonly ms: number
  readonly at: number
}

const read = (gateway: GatewayProcess, path: string) =>
  new Promise<Read & { text: string }>((resolve, reject) => {
    const at = performance.now()
    const request = httpGet(gateway.url + path, { agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.on('error', reject)
      response.on('end', () => {
        const ms = performance.now() - at
        const { code } = JSON.parse(text)
        resolve({ status: response.statusCode ?? 0, code, ms, at, text })
      })
    })
    request.on('error', reject)
  })

const start = async (replicas: number) => {
  const args = ['--requirepass', PASSWORD]
  let redis = await startRedis({ args })
  const { port } = redis
  const storeUrl = `redis://:${PASSWORD}@127.0.0.1:${port}`
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const spawn = () =>
    spawnGateway({
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: storeUrl,
      POLL_FIRST_MS: '300',
      POLL_INTERVAL_MS: `${INTERVAL_MS}`,
      POLL_MAX_INTERVAL_MS: `${INTERVAL_MS}`,
      SSE_HEARTBEAT_MS: '1000',
      DOCS: 'false',
    })
  const gateways = await Promise.all(Array.from({ length: replicas }, spawn))
  const pending = (): Ref => {
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 1, 2)
    return ref
  }
  const watch = (gateway: GatewayProcess, ref: Ref): EventConnection => {
    const stream = openEvents(gateway.url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  const readiness = async (gateway: GatewayProcess) => {
    const { status, text } = await read(gateway, '/health/ready')
    return `${status} ${JSON.parse(text).status}`
  }
  const all = (state: string, timeout = RECOVERY_MS) =>
    expect
      .poll(() => Promise.all(gateways.map(readiness)), { timeout, interval: 50 })
      .toEqual(gateways.map(() => `200 ${state}`))
  const restart = async (): Promise<void> => {
    redis = await startRedis({ port, args })
  }
  const noSecrets = () => {
    const said = gateways.map(({ output }) => output()).join('\n')
    expect(said).toContain('Redis is away')
    expect(findSecret(said, KEY)).toEqual([])
    expect(findSecret(said, PASSWORD)).toEqual([])
  }
  return {
    lemlist,
    gateways,
    storeUrl,
    pending,
    watch,
    all,
    restart,
    noSecrets,
    spawn,
    redis: () => redis,
  }
}
type Fleet = Awaited<ReturnType<typeof start>>

const post = async ({ url }: GatewayProcess, campaignId: string, key?: string) => {
  const headers = key === undefined ? {} : { 'Idempotency-Key': key }
  const began = performance.now()
  const response = await fetch(`${url}/campaigns/${campaignId}/export/start`, {
    method: 'POST',
    headers,
  })
  const text = await response.text()
  return { status: response.status, text, ms: performance.now() - began }
}

/** Reads what is cached, what is pending and what nobody knows, again and again, until it is stopped. */
const keepReading = (fleet: Fleet, done: Ref, seen: Ref) => {
  const reads: Record<'cached' | 'pending' | 'cold', Read[]> = { cached: [], pending: [], cold: [] }
  let stopped = false
  const loop = async (kind: keyof typeof reads, everyMs: number, path: () => string) => {
    while (!stopped) {
      for (const gateway of fleet.gateways) reads[kind].push(await read(gateway, path()))
      await delay(everyMs)
    }
  }
  const loops = [
    loop('cached', 40, () => statusPath(done)),
    loop('pending', 700, () => statusPath(seen)),
    loop('cold', 1_100, () => statusPath(fleet.pending())),
  ]
  return {
    reads,
    stop: async () => {
      stopped = true
      await Promise.all(loops)
    },
  }
}

const configure = (client: BareClient, name: string, value: string) =>
  client.sendCommand(['CONFIG', 'SET', name, value])

interface Outage {
  readonly name: string
  readonly lastsMs: number
  begin(redis: RedisServer, client: BareClient): Promise<unknown>
  end(fleet: Fleet, client: BareClient): Promise<unknown>
}

const OUTAGES: readonly Outage[] = [
  {
    name: 'is killed and comes back empty',
    lastsMs: 2_500,
    begin: (redis) => redis.kill(),
    end: (fleet) => fleet.restart(),
  },
  {
    name: 'stops for 10 s',
    lastsMs: 10_000,
    begin: async (redis) => redis.pause(),
    end: async (fleet) => fleet.redis().resume(),
  },
  {
    name: 'takes no writes',
    lastsMs: 2_500,
    begin: (_, client) => client.sendCommand(['REPLICAOF', '127.0.0.1', '1']),
    end: (_, client) => client.sendCommand(['REPLICAOF', 'NO', 'ONE']),
  },
  {
    name: 'is full',
    lastsMs: 2_500,
    begin: (_, client) => configure(client, 'maxmemory', '1mb'),
    end: (_, client) => configure(client, 'maxmemory', '0'),
  },
]

describe.skipIf(withoutRedis).each(OUTAGES)('when Redis $name', ({ lastsMs, begin, end }) => {
  it('reads, streams, polls, starts and the budget go on, and all is as before when it is back', async () => {
    const fleet = await start(2)
    const { lemlist, gateways, pending, watch, all } = fleet
    const [a, b] = gateways
    if (a === undefined || b === undefined) throw new Error('there are two')
    lemlist.addCampaign('cam_Away')
    const done = pending()
    lemlist.finish(done.exportId)
    const [seen, onA, onB, onBoth] = [pending(), pending(), pending(), pending()]
    const streams = [watch(a, onA), watch(b, onB), watch(a, onBoth), watch(b, onBoth)]
    await Promise.all(streams.map((stream) => stream.waitFor(isState('pending'))))
    for (const gateway of gateways) {
      expect((await read(gateway, statusPath(done))).status).toBe(200)
      expect((await read(gateway, statusPath(seen))).status).toBe(200)
    }
    const early = await post(a, 'cam_Away', 'early')
    expect(early.status).toBe(201)
    const client = await bareClient({ url: fleet.storeUrl })

    const reading = keepReading(fleet, done, seen)
    await begin(fleet.redis(), client)
    const brokenAt = performance.now()
    await all('degraded')
    const refused = await post(b, 'cam_Away', 'while-away')
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([503, 'store-unavailable'])
    expect(refused.ms).toBeLessThan(MOST_MS)
    const started = await post(a, 'cam_Away')
    expect(started.status).toBe(201)
    // What is watched is looked at all the time, by whoever has somebody to tell.
    const polls = (ref: Ref) => (call: { exportId?: string | undefined }) =>
      call.exportId === ref.exportId
    const before = [onA, onB].map((ref) => lemlist.calls.filter(polls(ref)).length)
    await Promise.all(
      [onA, onB].map((ref, n) => lemlist.waitForCalls((before[n] ?? 0) + 1, polls(ref))),
    )
    lemlist.finish(onA.exportId)
    await streams[0]?.waitFor(isState('done'))
    await delay(Math.max(0, lastsMs - (performance.now() - brokenAt)))

    await end(fleet, client)
    await all('ready')
    // The key of a start is known again, also where Redis has lost it; what was refused is free.
    expect(await post(b, 'cam_Away', 'early')).toMatchObject({ status: 201, text: early.text })
    expect((await post(b, 'cam_Away', 'while-away')).status).toBe(201)
    // Finals that came meanwhile, and exports started meanwhile, are there for everybody.
    const newcomer = await bareClient({ url: fleet.storeUrl })
    const { exportId } = JSON.parse(started.text)
    const keys = await newcomer.keys('leg:result:*')
    expect(keys.map((key) => key.split('/').at(-1))).toContain(onA.exportId)
    const rows = await newcomer.hKeys('leg:rows')
    expect(rows.map((key) => key.split('/').at(-1))).toContain(
      exportId ?? JSON.parse(started.text)._id,
    )
    // And polls have gone back to one for all replicas.
    const finishedAt = performance.now()
    for (const ref of [onB, onBoth]) lemlist.finish(ref.exportId)
    await Promise.all(streams.slice(1).map((stream) => stream.waitFor(isState('done'))))
    // Far below the minute in which an export is looked at that nobody watches.
    expect(performance.now() - finishedAt).toBeLessThan(15_000)
    expect(await Promise.all(streams.map(({ ended }) => ended))).toEqual(streams.map(() => 'clean'))
    await reading.stop()

    const { cached, pending: stale, cold } = reading.reads
    expect(Math.min(cached.length, stale.length, cold.length)).toBeGreaterThan(4)
    expect(new Set([...cached, ...stale].map(({ status }) => status))).toEqual(new Set([200]))
    expect(cold.map(({ code }) => code ?? 'none')).toEqual(
      cold.map(({ status }) => (status === 200 ? 'none' : 'budget-exhausted')),
    )
    const slow = [...cached, ...stale, ...cold].filter(({ ms }) => ms > MOST_MS)
    expect(slow).toEqual([])
    const times = lemlist.calls.map(({ at }) => at)
    expect(busiestWindow(times, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    fleet.noSecrets()
  })
})

describe.skipIf(withoutRedis)('the budget of three replicas that want all of it', () => {
  /** Cold reads at all replicas without an end. */
  const load = (fleet: Fleet) => {
    const working = new AbortController()
    onTestFinished(() => working.abort())
    const worker = async (gateway: GatewayProcess) => {
      while (!working.signal.aborted) {
        await read(gateway, statusPath(fleet.pending())).catch(() => {})
      }
    }
    for (const gateway of fleet.gateways) for (let n = 0; n < 8; n += 1) void worker(gateway)
  }
  const setUp = async () => {
    const fleet = await start(3)
    const { lemlist, gateways } = fleet
    load(fleet)
    await lemlist.waitForCalls(2 * CALLS)
    const since = (at: number) => lemlist.calls.filter((call) => call.at > at).length
    /** So many calls from now on. */
    const spent = async (calls: number) => {
      const now = performance.now()
      await expect.poll(() => since(now), { timeout: 10_000 }).toBeGreaterThan(calls)
    }
    const degraded = async () => {
      const answers = await Promise.all(gateways.map((one) => read(one, '/health/ready')))
      return answers.filter(({ text }) => text.includes('degraded')).length
    }
    const times = (from = 0, to = Infinity) =>
      lemlist.calls.map(({ at }) => at).filter((at) => at >= from && at <= to)
    return { ...fleet, spent, degraded, times }
  }

  it('is kept when Redis fails for all, and nothing leaves for a window', async () => {
    const { redis, restart, all, spent, times } = await setUp()
    const brokenAt = performance.now()
    await redis().kill()
    await all('degraded')
    const awayAt = performance.now()
    await spent(CALLS)
    const beforeBack = performance.now()
    await restart()
    await all('ready')
    await spent(2 * CALLS)
    expect(busiestWindow(times(), WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    expect(busiestWindow(times(0, brokenAt), WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(CALLS)
    // Three shares of four.
    const away = times(awayAt + WINDOW_MS / 4, beforeBack)
    expect(busiestWindow(away, WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(3 * (LIMIT - CALLS))
    const around = times(brokenAt - WINDOW_MS, beforeBack)
    const gaps = around.slice(1).map((at, index) => at - (around[index] ?? 0))
    expect(Math.max(...gaps)).toBeGreaterThan(WINDOW_MS / 2)
  })

  it('is kept when Redis fails for one of them', async () => {
    const { storeUrl, all, spent, degraded, times } = await setUp()
    const client = await bareClient({ url: storeUrl })
    // One is thrown out and cannot come back: the password is another one for a while.
    const clients = String(await client.sendCommand(['CLIENT', 'LIST']))
    const line = clients.split('\n').find((text) => text.includes('cmd=evalsha'))
    const id = /id=(\d+)/.exec(line ?? '')?.[1]
    if (id === undefined) throw new Error('nobody to throw out')
    await configure(client, 'requirepass', 'another-password')
    await client.sendCommand(['CLIENT', 'KILL', 'ID', id])
    await expect.poll(degraded, { timeout: RECOVERY_MS }).toBe(1)
    await spent(4 * CALLS)
    expect(await degraded()).toBe(1)
    await configure(client, 'requirepass', PASSWORD)
    await all('ready')
    await spent(2 * CALLS)
    // The reserve, which is for what the way to lemlist takes off a window, is what the one has.
    expect(busiestWindow(times(), WINDOW_MS - JITTER_MS)).toBeLessThanOrEqual(LIMIT)
  })
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
    expect(await client.hKeys('leg:rows')).toEqual([`default/${ref.campaignId}/${ref.exportId}`])
    fleet.lemlist.finish(ref.exportId)
    await stream.waitFor(isState('done'))
    expect(findSecret(gateway.output(), PASSWORD)).toEqual([])
  })
})
