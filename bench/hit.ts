import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { createKey, digestOf } from '../src/access/keys.ts'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { median, message, print, type Server, startLoad, startServer } from './processes.ts'

/**
 * Measures how many cached statuses the gateway serves in a second, and compares that with a bare
 * Fastify route on the same machine at the same time.
 */

const ROUNDS = 7
const CONNECTIONS = 64
const WARM_UP_MS = 1_000
const RUN_MS = 2_000

interface Figures {
  readonly perSecond: number
  readonly cpuUs: number
}

const warm = z.object({ warm: z.literal(true) })
const result = z.object({ answers: z.number(), bad: z.number(), ms: z.number() })

const run = async (server: Server, path: string, headers = ''): Promise<Figures> => {
  const load = startLoad('hit-load.ts')
  try {
    load.child.send({
      url: server.url + path,
      connections: CONNECTIONS,
      warmUpMs: WARM_UP_MS,
      runMs: RUN_MS,
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

export const measureHits = async (): Promise<void> => {
  const lemlist = createLemlist()
  const LEMLIST_BASE_URL = await lemlist.listen()
  const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
  const path = `/campaigns/${campaignId}/export/${exportId}/status`

  const gateway = async (level: string, withKey = false): Promise<Figures> => {
    const server = await startServer('gateway.ts', {
      ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' },
      ...(withKey && { AUTH: 'keys', ACCESS_FILE: accessFile, CALLER_RATE_LIMIT: '1000000000' }),
      LOG_LEVEL: level,
    })
    try {
      const headers = withKey ? { 'x-api-key': key } : undefined
      // Only this first read asks lemlist. All reads that are measured are answered from memory.
      const answer = await fetch(server.url + path, headers && { headers })
      bodyBytes = (await answer.arrayBuffer()).byteLength
      return await run(server, path, withKey ? `X-Api-Key: ${key}\r\n` : '')
    } finally {
      await server.end()
    }
  }
  const bare = async (): Promise<Figures> => {
    const server = await startServer('bare.ts', { BODY_BYTES: String(bodyBytes) })
    try {
      return await run(server, path)
    } finally {
      await server.end()
    }
  }
  let bodyBytes = 500
  const key = createKey()
  const directory = mkdtempSync(join(tmpdir(), 'bench-hit-'))
  const accessFile = join(directory, 'access.json')
  const callers = { bench: { keys: [digestOf(key)], accounts: ['default'] } }
  writeFileSync(accessFile, JSON.stringify({ callers }))

  const sides = [
    { name: 'bare Fastify route', figures: [] as Figures[], measure: bare },
    {
      name: 'gateway, one log line a request',
      figures: [] as Figures[],
      measure: () => gateway('info'),
    },
    { name: 'gateway, LOG_LEVEL=warn', figures: [] as Figures[], measure: () => gateway('warn') },
    {
      name: 'gateway, LOG_LEVEL=warn, AUTH=keys',
      figures: [] as Figures[],
      measure: () => gateway('warn', true),
    },
  ]
  for (let round = 0; round < ROUNDS; round += 1) {
    // The order alternates, so that other work on the machine slows down all sides alike.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.figures.push(await side.measure())
    }
  }
  await lemlist.close()
  rmSync(directory, { recursive: true })

  print(`Cached GET, ${CONNECTIONS} connections, ${bodyBytes} bytes, medians of ${ROUNDS} rounds:`)
  const [base] = sides
  for (const { name, figures } of sides) {
    const beside = (of: (each: Figures) => number): string => {
      const ratios = figures.flatMap((each, index) => {
        const other = base?.figures[index]
        return other === undefined ? [] : [of(each) / of(other)]
      })
      return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`
    }
    const perSecond = Math.round(median(figures.map((each) => each.perSecond)))
    const cpuUs = median(figures.map((each) => each.cpuUs)).toFixed(1)
    print(`  ${name}: ${perSecond} a second, ${cpuUs} us of CPU each`)
    if (figures === base?.figures) continue
    // On a machine with other work, the CPU time varies less than the rate.
    print(
      `    beside the bare route: ${beside((each) => each.perSecond)} of its rate, ` +
        `${beside((each) => each.cpuUs)} times its CPU time`,
    )
  }
}
