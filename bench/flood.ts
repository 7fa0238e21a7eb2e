import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { createKey, digestOf } from '../src/access/keys.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { inGroups, openStreams } from './event-streams.ts'
import { print } from './processes.ts'
import { type Server, startServer } from './server.ts'
import { meanGap } from './unknown.ts'

/**
 * Measures what one caller costs the others who makes ids up: with 1 000 reads a second, then with
 * 100 streams of 100 ids each. Another caller watches exports that are pending. Everything runs in
 * real time.
 */

const KNOWN = 50
const READS_PER_S = 1_000
const UNKNOWN = 10_000
const PER_STREAM = 100
/** The exports are older than 30 s by then, so their intervals grow no more in the meantime. */
const SETTLE_MS = 100_000
const RUN_MS = 60_000
const TICK_MS = 10

/** Reads of made-up ids, as many as may be. Resolves to how many got each status. */
const flood = async ({ url }: Server, key: string, ms: number): Promise<string> => {
  const pool = new Pool(url, { connections: 100 })
  const statuses = new Map<number, number>()
  const read = async (id: number): Promise<void> => {
    const path = `/campaigns/cam_Flood/export/axp_Read${id}/status`
    const { statusCode, body } = await pool.request({
      ...{ path, method: 'GET', headers: { 'x-api-key': key } },
    })
    await body.dump()
    statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1)
  }
  const reads: Promise<void>[] = []
  const from = performance.now()
  for (;;) {
    const passed = performance.now() - from
    if (passed >= ms) break
    while (reads.length < (passed * READS_PER_S) / 1_000) reads.push(read(reads.length))
    await delay(TICK_MS)
  }
  await Promise.all(reads)
  await pool.close()
  return [...statuses].map(([status, count]) => `${count} x ${status}`).join(', ')
}

/** The most calls in any second. */
const mostInASecond = (calls: readonly { readonly at: number }[]): number =>
  Math.max(
    0,
    ...calls.map(
      (first) => calls.filter(({ at }) => at >= first.at && at < first.at + 1_000).length,
    ),
  )

export const measureFlood = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-flood-'))
  const keys = { crm: createKey(), bi: createKey() }
  const entry = (key: string) => ({ keys: [digestOf(key)], accounts: ['default'] })
  const callers = { crm: entry(keys.crm), bi: entry(keys.bi) }
  writeFileSync(join(directory, 'access.json'), JSON.stringify({ callers }))
  const lemlist = createLemlist()
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: `sqlite:${join(directory, 'gateway.db')}`, LOG_LEVEL: 'fatal' },
    ...{ AUTH: 'keys', ACCESS_FILE: join(directory, 'access.json') },
    CALLER_RATE_LIMIT: '1000000',
  })
  try {
    const known = Array.from({ length: KNOWN }, () => lemlist.add({ outcome: 'never' }))
    const ids = new Set(known.map(({ exportId }) => exportId))
    const callsSince = (from: number, isKnown: boolean) =>
      lemlist.calls.filter(({ exportId = '', at }) => at >= from && ids.has(exportId) === isKnown)

    const leaveKnown = await openStreams(server, [known], { key: keys.bi })
    await delay(SETTLE_MS)
    const alone = performance.now()
    await delay(RUN_MS)
    print(`${KNOWN} exports that are watched by one caller, and made-up ids of another caller`)
    print(`  mean time between two looks, alone: ${meanGap(callsSince(alone, true)).toFixed(1)} s`)

    const report = (what: string, from: number): void => {
      const made = callsSince(from, false)
      const perSecond = made.length / ((performance.now() - from) / 1_000)
      print(`  beside ${what}: ${meanGap(callsSince(from, true)).toFixed(1)} s`)
      print(
        `    calls for made-up ids: ${perSecond.toFixed(1)} a second, at most ${mostInASecond(made)} in any second`,
      )
    }
    const reading = performance.now()
    const answers = await flood(server, keys.crm, RUN_MS)
    report(`${READS_PER_S} reads a second (${answers})`, reading)

    const streaming = performance.now()
    const { campaignId = '' } = known[0] ?? {}
    const unknown = Array.from({ length: UNKNOWN }, (_, index) => ({
      campaignId,
      exportId: `axp_Stream${index}`,
    }))
    const leave = await openStreams(server, inGroups(unknown, PER_STREAM), { key: keys.crm })
    await delay(RUN_MS)
    report(`${UNKNOWN / PER_STREAM} streams of ${PER_STREAM} ids`, streaming)
    leave()
    leaveKnown()
  } finally {
    await server.end()
    await lemlist.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
