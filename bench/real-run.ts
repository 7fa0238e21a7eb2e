import { setTimeout as delay } from 'node:timers/promises'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { addExports, optimumMs, type Pending, watchAll } from './pending.ts'
import { startServer } from './server.ts'

/** Measures in real time how long after its end at lemlist an export is told to be done. */

interface Run {
  /** How many exports are pending when it begins; half of them end before it is over. */
  readonly count: number
  /** How many gateways share the budget. Each has a watcher of every export. */
  readonly gateways: number
  readonly env: Readonly<Record<string, string>>
  readonly runMs: number
}

/** What a run has shown, seconds. */
export interface Delays {
  readonly count: number
  readonly ended: number
  readonly meanS: number
  readonly p95S: number
  readonly optimumS: number
  /** The mean time between the first watcher who is told of an export and the last one. */
  readonly spreadS: number
  readonly callsPerS: number
}

/** After this time a gateway has looked at each export once, milliseconds. */
const settleMs = (count: number): number => 30_000 + count * 130

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length)

/** Something that watches the exports of a sandbox. */
type Watching = (baseUrl: string, exports: readonly Pending[]) => Promise<() => Promise<void>>

/** @param watchers how many are told of each export */
export const measureDelays = async (
  { count, runMs }: Pick<Run, 'count' | 'runMs'>,
  watchers: number,
  watch: Watching,
): Promise<Delays> => {
  const lemlist = createLemlist()
  const baseUrl = await lemlist.listen()
  const exports = addExports(lemlist, count, 2 * (settleMs(count) + runMs))
  const leave = await watch(baseUrl, exports)
  await delay(settleMs(count))
  lemlist.clearCalls()
  const from = Date.now()
  await delay(runMs)
  const to = Date.now()
  const calls = lemlist.calls.length
  await leave()
  await lemlist.close()
  const ended = exports.filter(({ doneAt }) => doneAt >= from && doneAt <= to)
  const told = ended.map((one) =>
    Array.from({ length: watchers }, (_, watcher) => one.told.get(watcher) ?? to),
  )
  const delays = told
    .flatMap((times, index) => times.map((at) => at - (ended[index]?.doneAt ?? at)))
    .toSorted((a, b) => a - b)
  return {
    ...{ count, ended: ended.length, meanS: meanOf(delays) / 1_000 },
    p95S: (delays[Math.floor(delays.length * 0.95)] ?? Number.NaN) / 1_000,
    optimumS: optimumMs(exports, from, to) / 1_000,
    spreadS: meanOf(told.map((times) => Math.max(...times) - Math.min(...times))) / 1_000,
    callsPerS: (calls * 1_000) / (to - from),
  }
}

/** The delays of the watchers of gateways. */
export const measureGateways = ({ gateways, env, ...run }: Run): Promise<Delays> =>
  measureDelays(run, gateways, async (baseUrl, exports) => {
    const own = { LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: baseUrl, LOG_LEVEL: 'warn' }
    const servers = await Promise.all(
      Array.from({ length: gateways }, () => startServer('gateway.ts', { ...own, ...env })),
    )
    const leaves = await Promise.all(servers.map((one, index) => watchAll(one, exports, index)))
    return async () => {
      for (const leave of leaves) leave()
      await Promise.all(servers.map((one) => one.end()))
    }
  })
