import { startNchan } from './peers/nchan.ts'
import type { Peer } from './peers/programs.ts'
import { type Row, report } from './report.ts'
import { startServer } from './server.ts'
import { helloOf, startPushingGateway } from './streams-gateway.ts'
import { COLUMNS, measureTurn, type Pushing } from './streams-turn.ts'

/**
 * Measures what an open event stream costs and how long an event takes to reach all streams, beside
 * other servers that send the same headers and the same events. Each side is a fresh process in each
 * round, and the order alternates.
 */

const STREAMS = 10_000
const PUSHES = 10
const ROUNDS = 3
/** Two heartbeats of each stream. */
const IDLE_MS = 30_000

type Hello = Awaited<ReturnType<typeof helloOf>>

/** A peer that is told of an event by a POST. */
const pushedByPost = async (
  peer: Peer | undefined,
  { event }: Hello,
  isRaw: boolean,
): Promise<Pushing | undefined> => {
  if (peer === undefined) return undefined
  const push = async (progress: number): Promise<number> => {
    const data = event.data.replace('"progress":0,', `"progress":${progress},`)
    const body = isRaw ? data : JSON.stringify({ ...event, data })
    const headers = { 'x-eventsource-event': 'status' }
    const at = Number(process.hrtime.bigint()) / 1e6
    const answer = await fetch(`${peer.url}/push`, { method: 'POST', body, headers })
    await answer.text()
    if (!answer.ok) throw new Error(`not pushed: ${answer.status}`)
    return at
  }
  // So the connection is open, and the first event is known.
  await push(0)
  return { ...peer, path: '/events', headers: '', push }
}

const sidesOf = (hello: Hello) => {
  const node = (file: string) => async () =>
    pushedByPost(await startServer(`peers/${file}`, { HELLO: JSON.stringify(hello) }), hello, false)
  const nchan = async () => pushedByPost(await startNchan(hello.headers), hello, true)
  return [
    { name: 'gateway: keys, metrics, log line', start: startPushingGateway, beats: true },
    { name: 'bare Fastify route, hijacked', start: node('hijack-sse.ts'), beats: false },
    { name: 'node:http', start: node('node-sse.ts'), beats: false },
    { name: 'nchan (nginx)', start: nchan, beats: true },
    { name: '@fastify/sse', start: node('fastify-sse.mjs'), beats: true },
    { name: 'better-sse', start: node('better-sse.ts'), beats: true },
  ]
}

export const measureStreams = async (): Promise<void> => {
  const trial = await startPushingGateway()
  const sides = sidesOf(await helloOf(trial))
  await trial.end()
  const rows = sides.map(({ name }) => ({ name, rounds: [] as number[][] })) satisfies Row[]
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = [...sides.entries()]
    for (const [index, { start, beats }] of round % 2 === 0 ? order : order.toReversed()) {
      const server = await start()
      if (server === undefined) continue
      try {
        const turn = { streams: STREAMS, pushes: PUSHES, idleMs: beats ? IDLE_MS : 0 }
        rows[index]?.rounds.push(await measureTurn(server, turn))
      } finally {
        await server.end()
      }
    }
  }
  report({
    ...{ name: 'streams', title: `${STREAMS} streams of one export`, rows, charted: 0 },
    columns: COLUMNS,
  })
}
