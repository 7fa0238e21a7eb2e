import { loadConfig } from '../src/config/config.ts'
import { watchedIntervalMs } from '../src/exports/following/poll-policy.ts'
import { createRandom } from '../test/helpers/random.ts'
import { durationMs } from '../test/helpers/simulation/duration.ts'
import { simulate } from '../test/helpers/simulation/simulation.ts'
import { FRONTENDS, virtualBrowsers } from './browsers.ts'
import { CALLS_PER_S } from './pending.ts'
import { median } from './processes.ts'
import { markdown, publish } from './publish.ts'
import { spread } from './report.ts'

/**
 * Measures on virtual time how long after its end at lemlist an export is told to be done: by the
 * gateway's own schedule, and to frontends that each ask lemlist.
 */

const MINUTE_MS = 60_000
const CROWDS = [
  { count: 10, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  { count: 50, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  { count: 120, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  { count: 300, medianMs: MINUTE_MS, runMs: 15 * MINUTE_MS },
  { count: 2_000, medianMs: 15 * MINUTE_MS, runMs: 30 * MINUTE_MS },
]
const SEEDS = [7, 8, 9]
/** The count that the chart shows. */
const CHARTED = 300
const S = 1_000
const HEADS = [
  ...['pending exports', 'optimum of the mean, s', "half of the exports' interval, s"],
  ...['gateway: mean, s', 'beside the optimum', 'p95, s'],
  ...['every browser asks: mean, s', 'beside the gateway', 'p95, s'],
]

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

/** Half of the interval that an export has when it ends, in the mean of many. */
const halfIntervalMs = (medianMs: number): number => {
  const random = createRandom(1)
  const { poll } = loadConfig({ LEMLIST_API_KEY: 'simulated' })
  const ages = Array.from({ length: 10_000 }, () => durationMs(medianMs, random))
  return meanOf(ages.map((age) => watchedIntervalMs(age, poll) / 2))
}

type Crowd = (typeof CROWDS)[number]

const measureCrowd = async ({ count, medianMs, runMs }: Crowd) => {
  const gateway: { mean: number; p95: number }[] = []
  const browsers: { mean: number; p95: number }[] = []
  for (const seed of SEEDS) {
    const { watched } = await simulate({
      storeUrl: 'memory:',
      watched: count,
      medianMs,
      runMs,
      seed,
    })
    gateway.push({ mean: watched.meanDelay / S, p95: watched.p95Delay / S })
    const delays = virtualBrowsers({ count, medianMs, runMs, seed }).toSorted((a, b) => a - b)
    const p95 = delays[Math.floor(delays.length * 0.95)] ?? Number.NaN
    browsers.push({ mean: meanOf(delays) / S, p95: p95 / S })
  }
  const optimum = count / CALLS_PER_S / 2
  return { count, optimum, halfInterval: halfIntervalMs(medianMs) / S, gateway, browsers }
}

type Measured = Awaited<ReturnType<typeof measureCrowd>>

const rowOf = ({ count, optimum, halfInterval, gateway, browsers }: Measured): string[] => {
  const of = (one: 'mean' | 'p95', side: Measured['gateway']) => side.map((round) => round[one])
  const means = of('mean', gateway)
  const besideGateway = of('mean', browsers).map((mean, round) => mean / (means[round] ?? 0))
  return [
    ...[String(count), optimum.toFixed(1), halfInterval.toFixed(1), spread(means, 1)],
    spread(
      means.map((mean) => mean / optimum),
      2,
    ),
    ...[spread(of('p95', gateway), 1), spread(of('mean', browsers), 1)],
    ...[spread(besideGateway, 1), spread(of('p95', browsers), 1)],
  ]
}

export const measureSimulated = async (): Promise<void> => {
  const all: Measured[] = []
  for (const crowd of CROWDS) all.push(await measureCrowd(crowd))
  const {
    optimum = 0,
    gateway = [],
    browsers = [],
  } = all.find(({ count }) => count === CHARTED) ?? {}
  const title = 'From done at lemlist to the event'
  publish({
    ...{ name: 'detect', title: `${title}, on virtual time` },
    note: `${FRONTENDS} browsers an export. Medians, least and most of ${SEEDS.length} seeds.`,
    ...{ table: markdown(HEADS, all.map(rowOf)), figures: { seconds: all } },
    chart: {
      ...{ title: `${title}, ${CHARTED} pending exports: mean, s`, digits: 1 },
      bars: [
        { name: 'optimum of the calls', value: optimum },
        { name: 'gateway', value: median(gateway.map(({ mean }) => mean)) },
        { name: 'every browser asks lemlist', value: median(browsers.map(({ mean }) => mean)) },
      ],
    },
  })
}
