import { CONNECTIONS, type Figures, measureFast, prepareHits } from './cached-gateway.ts'
import { startNodePeer } from './peers/node-peer.ts'
import { type Peer, startNginx, startVarnish } from './peers/programs.ts'
import { type Row, report } from './report.ts'
import { startServer } from './server.ts'

/**
 * Measures what a cached status costs, beside a bare Fastify route and beside other caches that answer
 * with the same body and the same headers. Each side is a fresh process in each round, and the order
 * alternates, so that other work on the machine slows down all sides alike.
 */

const ROUNDS = 5
/**
 * V8 compiles the last of the hot functions after some 100 000 requests, which take up to 8 s on a busy
 * host. Before that a server in JavaScript also pays for the compiler, and one that does more pays more.
 */
const TURN = { warmUpMs: 8_000, runMs: 3_000 }

interface Side {
  readonly name: string
  /** Resolves to undefined when the peer is not installed. */
  readonly measure: () => Promise<Figures | undefined>
}

const hitSides = async () => {
  const { path, start, close } = await prepareHits()
  const trial = await start('warn', true)
  const ANSWER = trial.answer
  await trial.server.end()
  const origin = await startServer('bare.ts', { ANSWER, CACHE_TIMEOUT: '1 hour' })

  const gateway = (level: string, isFull: boolean) => async (): Promise<Figures> => {
    const { server, headers } = await start(level, isFull, isFull)
    try {
      return await measureFast(server, path, { ...TURN, headers })
    } finally {
      await server.end()
    }
  }
  const other = (begin: () => Promise<Peer | undefined>) => async () => {
    const peer = await begin()
    try {
      return peer && (await measureFast(peer, path, { ...TURN, headers: trial.headers }))
    } finally {
      await peer?.end()
    }
  }
  const { url } = origin
  const bare = {
    name: 'bare Fastify route',
    measure: other(() => startServer('bare.ts', { ANSWER })),
  }
  const full = { name: 'gateway: keys, metrics, log line', measure: gateway('info', true) }
  const peers: readonly Side[] = [
    { name: 'gateway, LOG_LEVEL=warn', measure: gateway('warn', false) },
    { name: 'nginx proxy_cache, access log', measure: other(() => startNginx(url)) },
    { name: 'Varnish', measure: other(() => startVarnish(url)) },
    {
      name: 'fast-gateway with its cache',
      measure: other(() => startNodePeer('fast-gateway', url)),
    },
    {
      name: 'Express, http-proxy-middleware, apicache',
      measure: other(() => startNodePeer('express-apicache', url)),
    },
    {
      name: 'the same, with an agent that keeps connections',
      measure: other(() => startNodePeer('express-apicache', url, { KEEP_ALIVE: 'yes' })),
    },
    {
      name: '@fastify/http-proxy, no cache',
      measure: other(() => startNodePeer('http-proxy', url)),
    },
  ]
  const end = async (): Promise<void> => {
    await origin.end()
    await close()
  }
  return { bare, full, peers, end }
}

/** The figures of each side in each round. */
const inRounds = async (sides: readonly Side[], rounds: number): Promise<Row[]> => {
  const rows = sides.map(({ name }) => ({ name, rounds: [] as number[][] }))
  for (let round = 0; round < rounds; round += 1) {
    const order = [...sides.keys()]
    for (const index of round % 2 === 0 ? order : order.toReversed()) {
      const figures = await sides[index]?.measure()
      if (figures !== undefined) rows[index]?.rounds.push([figures.perSecond, figures.cpuUs])
    }
  }
  return rows
}

export const measureHits = async (): Promise<void> => {
  const { bare, full, peers, end } = await hitSides()
  const rows = await inRounds([bare, full, ...peers], ROUNDS)
  await end()
  report({
    ...{ name: 'hit', title: `Cached GET, ${CONNECTIONS} connections`, rows, charted: 0 },
    columns: [
      { name: 'a second', digits: 0 },
      { name: 'us of CPU each', digits: 1 },
    ],
  })
}
