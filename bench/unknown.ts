import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { inGroups, openStreams } from './event-streams.ts'
import { startFarRedis } from './far-redis.ts'
import { print } from './processes.ts'
import { startServer } from './server.ts'

/**
 * Measures what streams of ids that lemlist does not know cost the real exports beside them: looks,
 * memory, and calls that come after the streams have gone. Everything runs in real time.
 */

const REAL = 50
const UNKNOWN = 10_000
const PER_STREAM = 100
/** The first round of looks at the real exports is over by then. */
const SETTLE_MS = 40_000
const RUN_MS = 120_000
/** From the end of the streams on, the gateway asks for none of the unknown ids after this time. */
const QUIET_AFTER_MS = 2_000
const QUIET_MS = 60_000
const MIB = 1_024 ** 2

/** The mean time between two looks at the same export, seconds. */
export const meanGap = (
  calls: readonly { exportId?: string | undefined; at: number }[],
): number => {
  const last = new Map<string, number>()
  const gaps: number[] = []
  for (const { exportId = '', at } of calls) {
    const before = last.get(exportId)
    if (before !== undefined) gaps.push(at - before)
    last.set(exportId, at)
  }
  return gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length / 1_000
}

const measureOne = async (name: string, storeUrl: string): Promise<void> => {
  const lemlist = createLemlist()
  const env = { LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() }
  const server = await startServer('gateway.ts', {
    ...env,
    STORE_URL: storeUrl,
    LOG_LEVEL: 'fatal',
  })
  try {
    const real = Array.from({ length: REAL }, () => lemlist.add({ outcome: 'never' }))
    const ids = new Set(real.map(({ exportId }) => exportId))
    const { campaignId = '' } = real[0] ?? {}
    const unknown = Array.from({ length: UNKNOWN }, (_, index) => ({
      campaignId,
      exportId: `axp_Unknown${index}`,
    }))
    const callsFrom = (from: number, isReal: boolean) =>
      lemlist.calls.filter(({ exportId = '', at }) => at >= from && ids.has(exportId) === isReal)

    const leaveReal = await openStreams(server, [real])
    await delay(SETTLE_MS)
    const alone = performance.now()
    await delay(RUN_MS)
    const gapAlone = meanGap(callsFrom(alone, true))
    const before = await server.residentBytes()

    const leave = await openStreams(server, inGroups(unknown, PER_STREAM))
    await delay(SETTLE_MS / 4)
    const beside = performance.now()
    await delay(RUN_MS)
    const gapBeside = meanGap(callsFrom(beside, true))
    const most = await server.residentBytes()
    leave()
    const left = performance.now()
    await delay(QUIET_MS)
    const after = await server.residentBytes()
    leaveReal()

    print(
      `${REAL} watched exports, ${UNKNOWN} unknown ids on ${UNKNOWN / PER_STREAM} streams, ${name}`,
    )
    print(
      `  mean time between two looks at a real one: ${gapAlone.toFixed(1)} s without them, ${gapBeside.toFixed(1)} s with them`,
    )
    const late = callsFrom(left + QUIET_AFTER_MS, false).length
    print(
      `  calls for unknown ids: ${callsFrom(beside, false).length}, later than 2 s after: ${late}`,
    )
    const mebibytes = [before, most, after].map((bytes) => (bytes / MIB).toFixed(0))
    print(`  resident memory before, with and after them: ${mebibytes.join(', ')} MiB`)
  } finally {
    await server.end()
    await lemlist.close()
  }
}

export const measureUnknown = async (): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-unknown-'))
  const redis = await startFarRedis(0)
  try {
    await measureOne('SQLite', `sqlite:${join(directory, 'gateway.db')}`)
    await measureOne('Redis', redis.url)
  } finally {
    await redis.end()
    rmSync(directory, { recursive: true, force: true })
  }
}
