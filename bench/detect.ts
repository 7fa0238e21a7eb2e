import { FRONTENDS, realBrowsers } from './browsers.ts'
import { measureShort, type Short } from './detect-short.ts'
import { measureSimulated } from './detect-simulated.ts'
import { print } from './processes.ts'
import { markdown, publish } from './publish.ts'
import { type Delays, measureDelays, measureGateways } from './real-run.ts'

/**
 * Measures how long after its end at lemlist an export is told to be done: on virtual time, and in
 * real time with a gateway process, the sandbox and real streams.
 */

const COUNTS = [50, 300]
const RUN_MS = 120_000
const HEADS = [
  ...['pending exports', 'who asks', 'ends', 'mean, s', 'p95, s', 'optimum of the mean, s'],
  'calls to lemlist a second, with refused ones',
]

const rowOf = (who: string, { count, ended, ...one }: Delays): string[] => [
  ...[String(count), who, String(ended), one.meanS.toFixed(1), one.p95S.toFixed(1)],
  ...[one.optimumS.toFixed(1), one.callsPerS.toFixed(1)],
]

const measurePair = async (count: number) => {
  const run = { count, runMs: RUN_MS }
  const [gateway, browsers] = await Promise.all([
    measureGateways({ ...run, gateways: 1, env: { STORE_URL: 'memory:' } }),
    measureDelays(run, FRONTENDS, async (baseUrl, exports) => {
      const leave = realBrowsers(baseUrl, exports)
      return async () => leave()
    }),
  ])
  return { gateway, browsers }
}

const printShort = ({ exports, medianMs, soon, afterEndMs }: Short): void =>
  print(
    `${exports} exports that end within a second, in real time: seen ${medianMs.toFixed(0)} ms ` +
      `after their start and ${afterEndMs.toFixed(0)} ms after their end (medians); ` +
      `${soon} within 1.5 s`,
  )

export const measureDetect = async (): Promise<void> => {
  await measureSimulated()
  const short = await measureShort()
  printShort(short)
  const pairs = await Promise.all(COUNTS.map(measurePair))
  const title = 'From done at lemlist to the event'
  const bars = pairs.flatMap(({ gateway, browsers }) => [
    { name: `optimum, ${gateway.count} pending`, value: gateway.optimumS },
    { name: `gateway, ${gateway.count} pending`, value: gateway.meanS },
    { name: `every browser, ${gateway.count} pending`, value: browsers.meanS },
  ])
  publish({
    ...{ name: 'detect-real', bench: 'detect', title: `${title}, in real time` },
    note: `${FRONTENDS} browsers an export.`,
    table: markdown(
      HEADS,
      pairs.flatMap(({ gateway, browsers }) => [
        rowOf('gateway', gateway),
        rowOf('every browser', browsers),
      ]),
    ),
    figures: { pairs, short },
    chart: { title: `${title}, in real time: mean, s`, bars, digits: 1 },
  })
}
