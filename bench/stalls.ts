import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { openStore } from '../src/store/open.ts'
import { encodeRecord } from '../src/store/sqlite/record.ts'
import { inGroups, openStreams } from './event-streams.ts'
import { startFarRedis } from './far-redis.ts'
import { print } from './processes.ts'
import { type Server, startServer } from './server.ts'

/**
 * Measures how long the event loop of a gateway stands still while its store is slow. The store is
 * a SQLite file on a disk that takes 3 ms more for each fsync, or a Redis that is 20 ms away.
 */

const RESULTS = 200_000
const STREAMS = 200
const IDS_PER_STREAM = 100
const WATCHED = 2_000
const HEARTBEATS = 10
const HEARTBEAT_MS = 3_000
const SLOW_DISK = [
  ...['strace', '-f', '-qq', '--seccomp-bpf', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
  ...['-e', 'inject=fsync,fdatasync:delay_exit=3000'],
]
const REDIS_AWAY_MS = 20
const DAY_MS = 24 * 60 * 60_000
/** The results that are in the file at the start reach their end of life after this time. */
const LIVES_MS = 75_000
/** After this time the sweep has found all these results. */
const SWEPT_MS = 240_000
const SETTLE_MS = 5_000

type Lemlist = ReturnType<typeof createLemlist>
type Env = Readonly<Record<string, string>>

/** Opens streams of pending exports, and returns a function that leaves. */
const openPending = (server: Server, lemlist: Lemlist, count: number) => {
  const pending = Array.from({ length: count * IDS_PER_STREAM }, () =>
    lemlist.add({ outcome: 'never' }),
  )
  return openStreams(server, inGroups(pending, IDS_PER_STREAM))
}

/**
 * Writes results into the file of a store with plain SQL, because that is faster than the store.
 * They reach their end of life after `livesMs`.
 */
const fill = async (path: string, livesMs: number): Promise<void> => {
  const store = await openStore(`sqlite:${path}`, {
    ...{ limits: { calls: 16, windowMs: 2_000 }, reserve: 4, visibilityMs: 30_000 },
    ...{ watchMs: 30_000, storeFailed: (_: string, error: unknown) => print(String(error)) },
  })
  await store.close()
  const db = new DatabaseSync(path)
  const insert = db.prepare(
    'insert into results (export, due_at, record, body, checksum) values (?, ?, ?, ?, ?)',
  )
  const endOfLife = Date.now() + livesMs
  db.exec('begin')
  for (let number = 0; number < RESULTS; number += 1) {
    const key = `default/cam_Bench/axp_${number}`
    const body = Buffer.from(`{"ok":true,"status":{"id":"axp_${number}","status":"done"}}`)
    const observedAt = Date.now()
    // The sweep turns one half of them into the answer 410, and deletes the other half.
    const forgetAt = endOfLife + (number % 2) * DAY_MS
    const snapshot = { body, state: 'done', version: `v${number}`, observedAt, endOfLife } as const
    const row = encodeRecord(key, { kind: 'final', snapshot, forgetAt })
    insert.run(key, endOfLife, row.record, row.body, row.checksum)
  }
  db.exec('commit')
  db.close()
}

const said = (what: string, ms: number): void => print(`  ${what}: ${ms.toFixed(0)} ms`)

const measureLoad = async (server: Server, lemlist: Lemlist): Promise<void> => {
  await server.longestStallMs()
  const leave = await openPending(server, lemlist, STREAMS)
  await delay(SETTLE_MS)
  said(`${STREAMS} streams of ${IDS_PER_STREAM} exports begin`, await server.longestStallMs())
  leave()
  await delay(SETTLE_MS)
  said('they leave', await server.longestStallMs())
  const leaveAgain = await openPending(server, lemlist, WATCHED / IDS_PER_STREAM)
  await delay(SETTLE_MS)
  await server.longestStallMs()
  const writtenBefore = server.writtenBytes()
  await delay(HEARTBEATS * HEARTBEAT_MS)
  said(`${HEARTBEATS} heartbeats with ${WATCHED} watched`, await server.longestStallMs())
  const written = ((server.writtenBytes() - writtenBefore) / 1_024).toFixed(0)
  print(`  written to the disk meanwhile: ${written} KiB`)
  leaveAgain()
}

const resultsIn = (path: string): unknown => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    return db.prepare('select count(*) as count from results').get()?.count
  } finally {
    db.close()
  }
}

const measureSlowDisk = async (lemlist: Lemlist, env: Env): Promise<void> => {
  const directory = mkdtempSync(join(tmpdir(), 'bench-stalls-'))
  const path = join(directory, 'gateway.db')
  await fill(path, LIVES_MS)
  const begun = performance.now()
  const server = await startServer(
    'gateway.ts',
    { ...env, STORE_URL: `sqlite:${path}` },
    { under: SLOW_DISK, watchesStalls: true },
  )
  try {
    print(`SQLite on a disk that takes 3 ms more for each fsync, ${RESULTS} results in the file`)
    said('from the start to the first connection', performance.now() - begun)
    said('the start', await server.longestStallMs())
    await measureLoad(server, lemlist)
    await delay(SWEPT_MS)
    said('the sweep', await server.longestStallMs())
  } finally {
    await server.end()
    print(`  results that the sweep has left: ${resultsIn(path)}`)
    rmSync(directory, { recursive: true, force: true })
  }
}

const measureFarRedis = async (lemlist: Lemlist, env: Env): Promise<void> => {
  const redis = await startFarRedis(REDIS_AWAY_MS)
  const server = await startServer(
    'gateway.ts',
    { ...env, STORE_URL: redis.url },
    { watchesStalls: true },
  )
  try {
    print(`Redis, ${REDIS_AWAY_MS} ms away`)
    await measureLoad(server, lemlist)
  } finally {
    await server.end()
    await redis.end()
  }
}

export const measureStalls = async (): Promise<void> => {
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000, windowMs: 2_000 } })
  const env = {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ LOG_LEVEL: 'warn', SSE_HEARTBEAT_MS: String(HEARTBEAT_MS) },
  }
  try {
    print('The longest stall of the event loop')
    await measureSlowDisk(lemlist, env)
    await measureFarRedis(lemlist, env)
  } finally {
    await lemlist.close()
  }
}
