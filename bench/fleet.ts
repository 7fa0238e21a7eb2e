import { startFarRedis } from './far-redis.ts'
import { markdown, publish } from './publish.ts'
import { type Delays, measureGateways } from './real-run.ts'

/**
 * Measures three gateways that share a Redis, beside one gateway alone, in real time. Every export
 * is watched at each gateway, and all of them together have one budget of calls.
 */

const COUNTS = [50, 300]
const RUN_MS = 120_000
const HEADS = [
  ...['pending exports', 'gateways', 'ends', 'mean, s', 'p95, s', 'optimum of the mean, s'],
  ...['calls to lemlist a second', 'a second and export', 'last gateway after the first, ms'],
]

interface Side {
  readonly gateways: number
  readonly delays: Delays
}

const rowOf = ({ gateways, delays }: Side): string[] => {
  const { count, ended, meanS, p95S, optimumS, callsPerS, spreadS } = delays
  return [
    ...[String(count), String(gateways), String(ended), meanS.toFixed(1), p95S.toFixed(1)],
    ...[optimumS.toFixed(1), callsPerS.toFixed(1), (callsPerS / count).toFixed(3)],
    gateways === 1 ? '–' : (spreadS * 1_000).toFixed(0),
  ]
}

export const measureFleet = async (): Promise<void> => {
  const redis = await startFarRedis(0)
  let databases = 0
  const measure = async (count: number, gateways: number): Promise<Side> => {
    const env = { STORE_URL: `${redis.url}/${databases}` }
    databases += 1
    return { gateways, delays: await measureGateways({ count, gateways, env, runMs: RUN_MS }) }
  }
  try {
    const sides = await Promise.all(
      COUNTS.flatMap((count) => [measure(count, 1), measure(count, 3)]),
    )
    const title = 'Three gateways with one Redis'
    publish({
      ...{ name: 'fleet', title, note: 'In real time.' },
      ...{ table: markdown(HEADS, sides.map(rowOf)), figures: { sides } },
      chart: {
        title: `${title}: from done at lemlist to the event, mean, s`,
        bars: sides.map(({ gateways, delays: { count, meanS } }) => ({
          name: `gateway${gateways === 1 ? '' : 's'}: ${gateways}, ${count} pending`,
          value: meanS,
        })),
        digits: 1,
      },
    })
  } finally {
    await redis.end()
  }
}
