import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { createKey, digestOf } from '../src/access/keys.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { freePort, inMemory, message, startLoad } from './processes.ts'
import { type Server, startServer } from './server.ts'
import { readsByWrk } from './wrk.ts'

/** Starts gateways that have one final status in memory, and measures what a read of it costs. */

export const CONNECTIONS = 64

export interface Figures {
  readonly perSecond: number
  /** CPU time of the server for one read, microseconds. */
  readonly cpuUs: number
}

const warm = z.object({ warm: z.literal(true) })
const result = z.object({ answers: z.number(), bad: z.number(), ms: z.number() })

interface Turn {
  readonly warmUpMs: number
  readonly runMs: number
  /** Header lines of each read, each with its end. */
  readonly headers?: string
}

type Measured = Pick<Server, 'url' | 'cpuMs'>

/** Measures with wrk, if it is installed, because a load in JavaScript is slower than some servers. */
export const measureFast = async (server: Measured, path: string, turn: Turn): Promise<Figures> => {
  const url = server.url + path
  const load = { url, connections: CONNECTIONS, headers: turn.headers ?? '' }
  if (turn.warmUpMs > 0) await readsByWrk({ ...load, ms: turn.warmUpMs })
  const cpuBefore = server.cpuMs()
  const reads = await readsByWrk({ ...load, ms: turn.runMs })
  if (reads === undefined) return measureReads(server, path, turn)
  const cpuMs = server.cpuMs() - cpuBefore
  if (reads.bad > 0) throw new Error(`${reads.bad} answers were not 200`)
  return { perSecond: reads.perSecond, cpuUs: (cpuMs * 1_000) / reads.answers }
}

export const measureReads = async (
  server: Measured,
  path: string,
  { warmUpMs, runMs, headers = '' }: Turn,
): Promise<Figures> => {
  const load = startLoad('hit-load.ts')
  try {
    load.child.send({
      url: server.url + path,
      connections: CONNECTIONS,
      warmUpMs,
      runMs,
      headers,
    })
    await message(load.child, warm)
    const cpuBefore = server.cpuMs()
    const { answers, bad, ms } = await message(load.child, result)
    const cpuMs = server.cpuMs() - cpuBefore
    if (bad > 0) throw new Error(`${bad} answers were not 200`)
    return { perSecond: (answers * 1_000) / ms, cpuUs: (cpuMs * 1_000) / answers }
  } finally {
    load.end()
  }
}

/** Headers that Node sets by itself for each server. */
export const BY_NODE = new Set([
  ...['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding'],
])

/** Prepares an export that is done, and a caller with a key. */
export const prepareHits = async () => {
  const lemlist = createLemlist()
  const LEMLIST_BASE_URL = await lemlist.listen()
  const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
  const path = `/campaigns/${campaignId}/export/${exportId}/status`
  const key = createKey()
  const directory = mkdtempSync(join(inMemory(), 'bench-hit-'))
  const accessFile = join(directory, 'access.json')
  const callers = { bench: { keys: [digestOf(key)], accounts: ['default'] } }
  writeFileSync(accessFile, JSON.stringify({ callers }))

  /** Starts a gateway and makes the only read that asks lemlist. */
  const start = async (
    level: string,
    withKey = false,
    withMetrics = false,
    under: readonly string[] = [],
  ) => {
    // As in a container, nobody who reads the log shares a core with the gateway.
    const log = openSync(join(directory, 'log'), 'w')
    const server = await startServer(
      'gateway.ts',
      {
        ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' },
        ...(withKey && { AUTH: 'keys', ACCESS_FILE: accessFile, CALLER_RATE_LIMIT: '1000000000' }),
        ...(withMetrics && { OPS_PORT: String(await freePort()) }),
        LOG_LEVEL: level,
      },
      { under, stdout: log },
    )
    const answer = await fetch(server.url + path, { headers: withKey ? { 'x-api-key': key } : {} })
    const body = await answer.text()
    // Node sets these by itself for each server.
    const own = [...answer.headers].filter(([name]) => !BY_NODE.has(name))
    const told = JSON.stringify({ body, headers: own })
    return { server, answer: told, key, headers: withKey ? `X-Api-Key: ${key}\r\n` : '' }
  }
  const close = async (): Promise<void> => {
    await lemlist.close()
    rmSync(directory, { recursive: true })
  }
  return { path, connections: CONNECTIONS, start, close }
}
