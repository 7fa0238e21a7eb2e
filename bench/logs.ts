import { closeSync, openSync } from 'node:fs'
import { z } from 'zod'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { median, message, print, startLoad } from './processes.ts'
import { startServer } from './server.ts'

/**
 * Measures whether a log that cannot be written slows down reads: cached statuses with a log that
 * is read, and with one on a full disk, in runs that alternate.
 */

const ROUNDS = 7
const CONNECTIONS = 8
const WARM_UP_MS = 1_000
const RUN_MS = 2_000

const warm = z.object({ warm: z.literal(true) })
const result = z.object({ answers: z.number(), bad: z.number(), p99Ms: z.number() })

export const measureLogs = async (): Promise<void> => {
  const lemlist = createLemlist()
  const LEMLIST_BASE_URL = await lemlist.listen()
  const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
  const path = `/campaigns/${campaignId}/export/${exportId}/status`
  const env = { LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' }
  const full = openSync('/dev/full', 'w')

  const run = async (stdout: 'pipe' | number) => {
    const server = await startServer('gateway.ts', env, { stdout })
    const load = startLoad('hit-load.ts')
    try {
      await (await fetch(server.url + path)).arrayBuffer()
      load.child.send({
        ...{ url: server.url + path, connections: CONNECTIONS },
        ...{ warmUpMs: WARM_UP_MS, runMs: RUN_MS },
      })
      await message(load.child, warm)
      const { answers, bad, p99Ms } = await message(load.child, result)
      if (bad > 0) throw new Error(`${bad} answers were not 200`)
      return { answers, p99Ms, ...(await server.stop()) }
    } finally {
      load.end()
    }
  }

  const sides = [
    { name: 'a log that is read', stdout: 'pipe' as const, runs: [] as Run[] },
    { name: 'a log on a full disk', stdout: full, runs: [] as Run[] },
  ]
  type Run = Awaited<ReturnType<typeof run>>
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.runs.push(await run(side.stdout))
    }
  }
  closeSync(full)
  await lemlist.close()

  print(`Cached GET, ${CONNECTIONS} connections, one log line each, ${ROUNDS} rounds:`)
  for (const { name, runs } of sides) {
    const fewest = Math.min(...runs.map(({ answers }) => answers))
    const p99 = median(runs.map(({ p99Ms }) => p99Ms)).toFixed(2)
    const slowest = Math.round(Math.max(...runs.map(({ ms }) => ms)))
    const codes = [...new Set(runs.map(({ code }) => code))].join(', ')
    print(`  ${name}: p99 ${p99} ms, at least ${fewest} reads a run`)
    print(`    SIGTERM: exit ${codes}, after ${slowest} ms at most`)
  }
  const [healthy, broken] = sides.map(({ runs }) => runs.map(({ p99Ms }) => p99Ms))
  const ratios = healthy?.map((ms, round) => (broken?.[round] ?? Number.NaN) / ms) ?? []
  print(
    `  p99 of a full disk beside that of a log that is read: ${median(ratios).toFixed(2)} ` +
      `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
  )
}
