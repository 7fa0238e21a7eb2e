import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fastify from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import type { Store } from '../src/exports/ports.ts'
import { createCampaignList } from '../src/exports/reading/campaign-list.ts'
import { createLatest } from '../src/exports/reading/latest.ts'
import type { AccountParts } from '../src/http/entry.ts'
import { campaignExportsRoute } from '../src/http/routes/campaign-exports.ts'
import { verbatimBodies } from '../src/http/status/bodies.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { openStore } from '../src/store/open.ts'
import { measureArrival } from './campaign-arrival.ts'
import { startFarRedis } from './far-redis.ts'
import { median, print } from './processes.ts'
import { type Server, startServer } from './server.ts'

/**
 * Measures the list of a campaign with each store, what the stream of a campaign costs in memory
 * beside a stream of as many exports that are named, and how soon a new export is on it.
 */

const RESULTS = 100_000
const FOLLOWED = 20_000
/** Each tenth is one of the campaign that is listed, the others are spread over many. */
const PART = 10
const CAMPAIGN = 'cam_Bench'
const LISTS = 300
const SETTLE_MS = 2_000
const STREAMS = 500
const EXPORTS = 100
const DAY_MS = 24 * 3_600_000

const refOf = (number: number) => ({
  account: 'default',
  campaignId: number % PART === 0 ? CAMPAIGN : `cam_Other${number % 997}`,
  exportId: `axp_N${number}`,
})

const inChunks = async (count: number, work: (number: number) => Promise<unknown>) => {
  for (let from = 0; from < count; from += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => work(from + index)))
  }
}

const fill = async ({ results, schedule }: Store): Promise<void> => {
  const from = Date.now() - RESULTS
  await inChunks(RESULTS, (number) => {
    const ref = refOf(number)
    const body = Buffer.from(`{"ok":true,"status":{"id":"${ref.exportId}","status":"done"}}`)
    const endOfLife = Date.now() + DAY_MS
    const observedAt = Date.now()
    const snapshot = { body, state: 'done', version: `v${number}`, observedAt, endOfLife }
    const forgetAt = endOfLife + DAY_MS
    return results.put(ref, { kind: 'final', snapshot, forgetAt }, from + number)
  })
  const plan = { intervalMs: 60_000, misses: 0, failures: 0, agedLooks: 0 }
  await inChunks(FOLLOWED, (number) => {
    const times = { dueAt: Date.now() + 60_000, lookedAt: Date.now() }
    const seen = { ...times, firstSeenAt: from + 5 * number + 1 }
    const ref = { ...refOf(number), exportId: `axp_F${number}` }
    return schedule('default').track([{ ref, ...plan, ...seen, origin: 'pending' }])
  })
}

/** The route alone, on this store. */
const routeOn = (store: Store) => {
  const app = fastify()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => JSON.stringify)
  const observer = {
    ...{ drift: () => {}, scheduleFull: () => {}, failed: () => {} },
    storeFailed: (what: string, error: unknown) => print(`  ${what}: ${String(error)}`),
  }
  const campaigns = createCampaignList({
    ...{ schedule: store.schedule('default'), results: store.results },
    ...{ latest: createLatest(), observer, fileTtlMs: DAY_MS },
  })
  // The route uses nothing else of an account.
  const account = { campaigns } as unknown as AccountParts
  const caller = { name: 'anonymous' } as never
  const enter = (_request: unknown, _scope: unknown, ids: object) => ({
    ...{ account, caller, ref: { account: 'default', ...ids } as never },
  })
  campaignExportsRoute(app, { entry: { enter }, bodies: verbatimBodies })
  return app
}

/** Notes the longest time in which a timer of 1 ms did not fire. */
const watchStalls = () => {
  let [longest, last] = [0, performance.now()]
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 1)
  return () => {
    clearInterval(timer)
    return longest
  }
}

const measureList = async (name: string, url: string): Promise<void> => {
  const store = await openStore(url, {
    ...{ limits: { calls: 16, windowMs: 2_000 }, reserve: 4, visibilityMs: 30_000 },
    ...{
      watchMs: 30_000,
      storeFailed: (what: string, error: unknown) => print(`${what} ${error}`),
    },
    deadlineMs: 5_000,
  })
  await store.ready?.()
  await fill(store)
  // What the filling left is collected and written to the disk meanwhile.
  await delay(SETTLE_MS)
  const app = routeOn(store)
  print(`The list, ${name}, ${RESULTS / PART} results of the campaign among ${RESULTS}:`)
  for (const limit of [20, 100]) {
    const times: number[] = []
    const ask = async (): Promise<void> => {
      const from = performance.now()
      const answer = await app.inject(`/campaigns/${CAMPAIGN}/exports?limit=${limit}`)
      times.push(performance.now() - from)
      if (JSON.parse(answer.body).exports.length !== limit) throw new Error(answer.body)
    }
    for (let round = 0; round < 20; round += 1) await ask()
    times.length = 0
    await delay(100)
    const stalls = watchStalls()
    for (let round = 0; round < LISTS; round += 1) {
      await ask()
      await delay(1)
    }
    const sorted = times.toSorted((one, other) => one - other)
    const p99 = sorted[Math.floor(0.99 * sorted.length)] ?? Number.NaN
    const figures = [median(times), p99, sorted.at(-1) ?? 0, stalls()].map((ms) => ms.toFixed(1))
    print(
      `  ${limit} exports: ${figures[0]} ms, p99 ${figures[1]}, longest ${figures[2]}; longest stall ${figures[3]} ms`,
    )
  }
  await app.close()
  await store.close()
}

const openAt = async (server: Server, path: string): Promise<() => void> => {
  const { host, hostname, port } = new URL(server.url)
  const sockets = await Promise.all(
    Array.from({ length: STREAMS }, async () => {
      const socket = connect(Number(port), hostname)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      const [answer] = await once(socket, 'data')
      if (!String(answer).startsWith('HTTP/1.1 200')) throw new Error(`not opened: ${answer}`)
      return socket.resume()
    }),
  )
  return () => {
    for (const socket of sockets) socket.destroy()
  }
}

const measureStreams = async (): Promise<void> => {
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000, windowMs: 2_000 } })
  const baseUrl = await lemlist.listen()
  const refs = Array.from({ length: EXPORTS }, (_, number) =>
    lemlist.add({ campaignId: CAMPAIGN, exportId: `axp_S${number}`, outcome: 'never' }),
  )
  const named = refs.map(({ campaignId, exportId }) => `export=${campaignId}/${exportId}`)
  const paths = { campaign: `/campaigns/${CAMPAIGN}/events`, named: `/events?${named.join('&')}` }
  print(`${STREAMS} streams of the same ${EXPORTS} pending exports:`)
  for (const [name, path] of Object.entries(paths)) {
    const env = {
      ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: baseUrl, STORE_URL: 'memory:' },
      ...{ LEMLIST_RATE_LIMIT: '1000000', LOG_LEVEL: 'warn' },
    }
    const server = await startServer('gateway.ts', env, { watchesStalls: true })
    for (const { campaignId, exportId } of refs) {
      await fetch(`${server.url}/campaigns/${campaignId}/export/${exportId}/status`)
    }
    const before = await server.residentBytes()
    const leave = await openAt(server, path)
    const stallMs = await server.longestStallMs()
    await delay(5_000)
    const bytes = ((await server.residentBytes()) - before) / STREAMS
    const perExport = (bytes / EXPORTS).toFixed(0)
    print(
      `  ${name}: ${(bytes / 1_024).toFixed(1)} KiB each, ${perExport} bytes an export; longest stall ${stallMs.toFixed(0)} ms`,
    )
    leave()
    await server.end()
  }
  await lemlist.close()
}

export const measureCampaign = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-campaign-'))
  try {
    await measureList('in memory', 'memory:')
    await measureList('in SQLite', `sqlite:${join(directory, 'gateway.sqlite')}`)
    const redis = await startFarRedis(0)
    await measureList('in Redis', redis.nearUrl)
    await redis.end()
    await measureStreams()
    await measureArrival(CAMPAIGN)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
