import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { startNodePeer } from './peers/node-peer.ts'
import { type Peer, startNginx } from './peers/programs.ts'
import { inMemory, message, startLoad } from './processes.ts'
import { type Row, report } from './report.ts'
import { startServer } from './server.ts'

/**
 * Measures 500 callers who ask for the same cold key at the same moment, while the origin takes 200
 * ms: how many calls the origin gets, and how long the callers wait.
 */

const CLIENTS = 500
const ROUNDS = 7
/** V8 compiles the hot functions in the first thousands of requests. */
const WARM_UP_ROUNDS = 8
const ORIGIN_MS = 200

const result = z.object({ bad: z.number(), p50Ms: z.number(), p99Ms: z.number() })

interface Side {
  readonly name: string
  readonly peer: Pick<Peer, 'url' | 'end'>
  /** Returns the path of a key that nobody has asked for: one for each number. */
  readonly fresh: (number: number) => string
  /** How many calls the origin has got so far. */
  readonly calls: () => number
}

/** An origin of the caches. It answers as slowly as lemlist does here. */
const startOrigin = async () => {
  let calls = 0
  const server = createServer(async (_request, response) => {
    calls += 1
    await delay(ORIGIN_MS)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ok: true, status: { note: 'x'.repeat(420) } }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    ...{ url: `http://127.0.0.1:${address.port}`, calls: () => calls },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const startGateway = async (): Promise<Side> => {
  const lemlist = createLemlist()
  const directory = mkdtempSync(join(inMemory(), 'bench-collapse-'))
  // As in a container, nobody who reads the log shares a core with the gateway or its callers.
  const log = openSync(join(directory, 'log'), 'w')
  const env = {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: await lemlist.listen() },
    ...{ STORE_URL: 'memory:', LOG_LEVEL: 'info' },
  }
  const server = await startServer('gateway.ts', env, { stdout: log })
  lemlist.script({ operation: 'status' }, { delayMs: ORIGIN_MS })
  return {
    name: 'gateway',
    peer: {
      url: server.url,
      end: async () => {
        await server.end()
        closeSync(log)
        await lemlist.close()
        rmSync(directory, { recursive: true, force: true })
      },
    },
    fresh: () => {
      const { campaignId, exportId } = lemlist.add({ durationMs: 0 })
      return `/campaigns/${campaignId}/export/${exportId}/status`
    },
    calls: () => lemlist.calls.length,
  }
}

/**
 * The callers of a process that has just started are slow themselves, so they ask for one key before
 * the one that is measured.
 */
const askTwice = async ({ peer, fresh, calls }: Side, round: number) => {
  const load = startLoad('collapse-load.ts')
  try {
    const ask = (number: number) => {
      load.child.send({ url: peer.url + encodeURI(fresh(number)), clients: CLIENTS })
      return message(load.child, result)
    }
    await ask(2 * round)
    const before = calls()
    return { ...(await ask(2 * round + 1)), calls: calls() - before }
  } finally {
    load.end()
  }
}

export const measureCollapse = async (): Promise<void> => {
  const origin = await startOrigin()
  const other = async (name: string, starting: Promise<Peer | undefined>) => {
    const peer = await starting
    const { calls } = origin
    return {
      name,
      side: peer && { name, peer, calls, fresh: (number: number) => `/${name}/${number}` },
    }
  }
  const gateway = await startGateway()
  const sides = [
    { name: gateway.name, side: gateway },
    await other('nginx proxy_cache_lock', startNginx(origin.url)),
    await other('@fastify/http-proxy', startNodePeer('http-proxy', origin.url)),
  ]
  const rows = sides.map(({ name }) => ({ name, rounds: [] as number[][] })) satisfies Row[]
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    for (const [index, { side }] of sides.entries()) {
      if (side === undefined) continue
      const { bad, calls, p50Ms, p99Ms } = await askTwice(side, round)
      if (bad > 0) throw new Error(`${side.name}: ${bad} answers were not 200`)
      if (round >= WARM_UP_ROUNDS) rows[index]?.rounds.push([calls, p50Ms, p99Ms])
    }
  }
  for (const { side } of sides) await side?.peer.end()
  origin.close()
  report({
    ...{ name: 'collapse', title: `${CLIENTS} callers of one cold key, origin ${ORIGIN_MS} ms` },
    ...{ rows, charted: 2 },
    columns: [
      { name: 'calls to the origin', digits: 0 },
      { name: 'median, ms', digits: 0 },
      { name: 'p99, ms', digits: 0 },
    ],
  })
}
