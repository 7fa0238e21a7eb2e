import {
  type PollIntervals,
  watchedIntervalMs,
} from '../../../src/exports/following/poll-policy.ts'
import { CALL_CLASSES, type PerClass } from '../../../src/exports/schedule.ts'
import { busiestWindow } from '../windows.ts'
import type { Simulated } from './population.ts'
import type { Call } from './virtual-lemlist.ts'

/** The results of a simulation. Times are milliseconds. */
export interface Report {
  /** The calls of each class in the measured time. */
  readonly calls: PerClass
  /** The largest number of calls in any 2 s. */
  readonly busiest: number
  readonly watched: Looks & Delay
  readonly idle: Looks & Delay
  /** Calls for unknown ids later than 2 s after their streams were closed. There should be none. */
  readonly lateUnknown: number
  /**
   * Calls for an export that began while another call for it was under way, or sooner after the call
   * before than the shortest interval. There should be none.
   */
  readonly doubles: number
  /** What the observer of the gateway was told. */
  readonly failures: readonly string[]
}

/** The looks at the exports that were pending during the whole measured time. */
interface Looks {
  readonly exports: number
  readonly fewest: number
  readonly median: number
  readonly most: number
  readonly shortestGap: number
  readonly longestGap: number
}

/**
 * The delays of the exports that ended in the measured time: from the end at lemlist to the event, or
 * for an idle export to the look that found the end.
 */
interface Delay {
  readonly ended: number
  readonly meanDelay: number
  readonly p95Delay: number
  /** The longest time by which a delay exceeded the interval that the export had at its age. */
  readonly beyondInterval: number
}

interface Run {
  readonly calls: readonly Call[]
  readonly simulated: ReadonlyMap<string, Simulated>
  /** The begin of the measured time, virtual epoch milliseconds. */
  readonly from: number
  /** The end of the measured time, virtual epoch milliseconds. */
  readonly to: number
  /** From when on no call for an unknown id should come, virtual epoch milliseconds. */
  readonly quietFrom: number
  readonly failures: readonly string[]
  readonly poll: PollIntervals
}

/** lemlist counts calls in windows of 2 s. */
const WINDOW_MS = 2_000
/** A little less than the shortest interval, 1 s. */
const SHORTEST_MS = 900
/** The first two looks at an export younger than this may be closer to each other. */
const NEW_MS = 3_000

export const reportOf = (run: Run): Report => {
  const { calls, simulated, from, to, quietFrom, failures } = run
  const times = calls.map(({ at }) => at)
  const during = calls.filter(({ at }) => at >= from && at <= to)
  const of = (kind: Simulated['kind']): Looks & Delay => {
    const some = [...simulated.values()].filter((one) => one.kind === kind)
    return { ...looksAt(some, during, run), ...delayOf(some, run) }
  }
  const count = (name: string): number =>
    during.filter(({ callClass }) => callClass === name).length
  const [watched, idle, unconfirmed] = CALL_CLASSES.map(count)
  return {
    calls: { watched: watched ?? 0, idle: idle ?? 0, unconfirmed: unconfirmed ?? 0 },
    busiest: busiestWindow(times, WINDOW_MS),
    watched: of('watched'),
    idle: of('idle'),
    lateUnknown: calls.filter(({ at, exportId }) => at > quietFrom && !simulated.has(exportId))
      .length,
    doubles: doublesIn(run),
    failures,
  }
}

const looksAt = (all: readonly Simulated[], calls: readonly Call[], { from, to }: Run): Looks => {
  const pending = all.filter(({ startedAt, toldAt = to }) => startedAt <= from && toldAt >= to)
  const times = new Map(pending.map(({ exportId }): [string, number[]] => [exportId, []]))
  for (const { exportId, at } of calls) times.get(exportId)?.push(at)
  const looks = sorted([...times.values()].map(({ length }) => length))
  const gaps = sorted(
    [...times.values()].flatMap((at) =>
      at.slice(1).map((next, index) => next - (at[index] ?? next)),
    ),
  )
  return {
    exports: pending.length,
    fewest: looks[0] ?? 0,
    median: looks[Math.floor(looks.length / 2)] ?? 0,
    most: looks.at(-1) ?? 0,
    shortestGap: gaps[0] ?? 0,
    longestGap: gaps.at(-1) ?? 0,
  }
}

const doublesIn = ({ calls, simulated }: Run): number => {
  const lastOf = new Map<string, Call>()
  return calls.filter((call) => {
    const last = lastOf.get(call.exportId)
    lastOf.set(call.exportId, call)
    if (last === undefined) return false
    const startedAt = simulated.get(call.exportId)?.startedAt ?? 0
    const isSoon = call.at - last.at < SHORTEST_MS && call.at - startedAt > NEW_MS
    return isSoon || call.at < (last.endedAt ?? call.at)
  }).length
}

const delayOf = (all: readonly Simulated[], { from, to, poll }: Run): Delay => {
  const ended = all.filter(({ doneAt }) => doneAt >= from && doneAt <= to)
  const late = ({ doneAt, toldAt = to }: Simulated): number => toldAt - doneAt
  const delays = sorted(ended.map(late))
  const beyond = sorted(
    ended.map((one) => late(one) - watchedIntervalMs(one.doneAt - one.startedAt, poll)),
  )
  return {
    ended: ended.length,
    meanDelay: delays.reduce((sum, ms) => sum + ms, 0) / Math.max(1, delays.length),
    p95Delay: delays[Math.floor(delays.length * 0.95)] ?? 0,
    beyondInterval: beyond.at(-1) ?? 0,
  }
}

const sorted = (numbers: readonly number[]): number[] =>
  numbers.toSorted((one, other) => one - other)
