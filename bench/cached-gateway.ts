import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { createKey, digestOf } from '../src/access/keys.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { message, type Server, startLoad, startServer } from './processes.ts'

/** Starts gateways that have one final status in memory, and measures what a read of it costs. */

const CONNECTIONS = 64

export interface Figures {
  readonly perSecond: number
  /** CPU time of the server for one read, microseconds. */
  readonly cpuUs: number
}

const warm = z.object({ warm: z.literal(true) })
const result = z.object({ answers: z.number(), bad: z.number(), ms: z.number() })

/** @param headers header lines of each read, each with its end */
export const measureReads = async (
  server: Server,
  path: string,
  { warmUpMs, runMs, headers = '' }: { warmUpMs: number; runMs: number; headers?: string },
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

/** Prepares an export that is done, and a caller with a key. */
export const prepareHits = async () => {
  const lemlist = createLemlist()
  const LEMLIST_BASE_URL = await lemlist.listen()
  const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
  const path = `/campaigns/${campaignId}/export/${exportId}/status`
  const key = createKey()
  const directory = mkdtempSync(join(tmpdir(), 'bench-hit-'))
  const accessFile = join(directory, 'access.json')
  const callers = { bench: { keys: [digestOf(key)], accounts: ['default'] } }
  writeFileSync(accessFile, JSON.stringify({ callers }))

  /** Starts a gateway and makes the only read that asks lemlist. */
  const start = async (level: string, withKey = false) => {
    const server = await startServer('gateway.ts', {
      ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' },
      ...(withKey && { AUTH: 'keys', ACCESS_FILE: accessFile, CALLER_RATE_LIMIT: '1000000000' }),
      LOG_LEVEL: level,
    })
    const answer = await fetch(server.url + path, { headers: withKey ? { 'x-api-key': key } : {} })
    const bodyBytes = (await answer.arrayBuffer()).byteLength
    return { server, bodyBytes, headers: withKey ? `X-Api-Key: ${key}\r\n` : '' }
  }
  const close = async (): Promise<void> => {
    await lemlist.close()
    rmSync(directory, { recursive: true })
  }
  return { path, connections: CONNECTIONS, start, close }
}
