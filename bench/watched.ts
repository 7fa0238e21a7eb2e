import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '../src/config/config.ts'
import type { Tracking } from '../src/exports/schedule.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { openStore } from '../src/store/open.ts'
import type { Simulated } from '../test/helpers/simulation/population.ts'
import { reportOf } from '../test/helpers/simulation/report.ts'
import { startFarRedis } from './far-redis.ts'
import { addExports, CAMPAIGN, optimumMs, watchAll } from './pending.ts'
import { print } from './processes.ts'
import { printReport } from './schedule.ts'
import { startServer } from './server.ts'

/**
 * Measures the same as `schedule`, but in real time: with a gateway process, a store that outlives
 * it, the sandbox, and streams of 100 exports. The exports are pending before the gateway starts.
 */

const COUNTS = [300, 2_000]
const KEY = { LEMLIST_API_KEY: 'sandbox-key' }
const RUN_MS = 5 * 60_000
/** After this time the gateway has looked at each export once, milliseconds. */
const settleMs = (count: number): number => 30_000 + count * 130

/** Makes the store track these exports, as if a gateway had followed them before. */
const follow = async (storeUrl: string, exports: readonly Simulated[]): Promise<void> => {
  const store = await openStore(storeUrl, {
    ...{ limits: { calls: 16, windowMs: 2_000 }, reserve: 4, visibilityMs: 30_000 },
    ...{ watchMs: 30_000, storeFailed: (_: string, error: unknown) => print(String(error)) },
  })
  await store.ready?.()
  const trackings = exports.map(
    ({ exportId, startedAt }): Tracking => ({
      ref: { account: 'default', campaignId: CAMPAIGN, exportId },
      ...{ dueAt: startedAt, lookedAt: startedAt, firstSeenAt: startedAt, intervalMs: 60_000 },
      ...{ origin: 'pending', misses: 0, failures: 0, agedLooks: 0 },
    }),
  )
  await store.schedule('default').track(trackings)
  await store.close()
}

const measureOne = async (name: string, storeUrl: string, count: number): Promise<void> => {
  const lemlist = createLemlist()
  const LEMLIST_BASE_URL = await lemlist.listen()
  // A fifth of them ends during the run.
  const exports = addExports(lemlist, count, 5 * (settleMs(count) + RUN_MS))
  await follow(storeUrl, exports)
  const env = { ...KEY, LEMLIST_BASE_URL, STORE_URL: storeUrl, LOG_LEVEL: 'warn' }
  const server = await startServer('gateway.ts', env, { watchesStalls: true })
  try {
    const leave = await watchAll(server, exports)
    await delay(settleMs(count))
    const from = Date.now()
    const writtenBefore = server.writtenBytes()
    await server.longestStallMs()
    await delay(RUN_MS)
    const to = Date.now()
    const stallMs = await server.longestStallMs()
    const written = server.writtenBytes() - writtenBefore
    leave()
    const epoch = Date.now() - performance.now()
    const calls = lemlist.calls.flatMap(({ at, path }) => {
      const exportId = /axp_\w+/.exec(path)?.[0]
      return exportId === undefined
        ? []
        : [{ at: epoch + at, exportId, callClass: 'watched' as const }]
    })
    const { poll } = loadConfig(KEY)
    const simulated = new Map(exports.map((one) => [one.exportId, one]))
    const run = { calls, simulated, from, to, quietFrom: to, failures: [], poll }
    printReport(`${count} watched, ${name}, in real time`, reportOf(run))
    print(`  optimum of the mean delay: ${(optimumMs(exports, from, to) / 1_000).toFixed(1)} s`)
    const perMinute = (written / 1_024 / (RUN_MS / 60_000)).toFixed(0)
    print(
      `  longest stall ${stallMs.toFixed(0)} ms; ${perMinute} KiB written to the disk in a minute`,
    )
  } finally {
    await server.end()
    await lemlist.close()
  }
}

export const measureWatched = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-watched-'))
  const redis = await startFarRedis(0)
  try {
    for (const count of COUNTS) {
      await Promise.all([
        measureOne('SQLite', `sqlite:${join(directory, `${count}.db`)}`, count),
        measureOne('Redis', `${redis.url}/${COUNTS.indexOf(count)}`, count),
      ])
    }
  } finally {
    await redis.end()
    rmSync(directory, { recursive: true, force: true })
  }
}
