import { type Figures, measureReads, prepareHits } from './cached-gateway.ts'
import { median, print, startServer } from './processes.ts'

/**
 * Measures how many cached statuses the gateway serves in a second, and compares that with a bare
 * Fastify route on the same machine at the same time.
 */

const ROUNDS = 7
const TURN = { warmUpMs: 1_000, runMs: 2_000 }

export const measureHits = async (): Promise<void> => {
  const { path, connections, start, close } = await prepareHits()
  let bodyBytes = 500
  const gateway = async (level: string, withKey = false): Promise<Figures> => {
    const { server, headers, ...given } = await start(level, withKey)
    bodyBytes = given.bodyBytes
    try {
      return await measureReads(server, path, { ...TURN, headers })
    } finally {
      await server.end()
    }
  }
  const bare = async (): Promise<Figures> => {
    const server = await startServer('bare.ts', { BODY_BYTES: String(bodyBytes) })
    try {
      return await measureReads(server, path, TURN)
    } finally {
      await server.end()
    }
  }

  const sides = [
    { name: 'bare Fastify route', figures: [] as Figures[], measure: bare },
    {
      name: 'gateway, one log line a request',
      figures: [] as Figures[],
      measure: () => gateway('info'),
    },
    { name: 'gateway, LOG_LEVEL=warn', figures: [] as Figures[], measure: () => gateway('warn') },
  ]
  for (let round = 0; round < ROUNDS; round += 1) {
    // The order alternates, so that other work on the machine slows down all sides alike.
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.figures.push(await side.measure())
    }
  }
  await close()

  print(`Cached GET, ${connections} connections, ${bodyBytes} bytes, medians of ${ROUNDS} rounds:`)
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
