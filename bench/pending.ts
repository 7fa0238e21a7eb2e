import type { Lemlist } from '../src/sandbox/lemlist.ts'
import { createRandom } from '../test/helpers/random.ts'
import type { Simulated } from '../test/helpers/simulation/population.ts'
import { inGroups, openStreams } from './event-streams.ts'
import type { Server } from './server.ts'

/** Exports of the sandbox that are pending when a benchmark begins, and those who watch them. */

export interface Pending extends Simulated {
  /** When each watcher was told that it is done, epoch milliseconds. `toldAt` is the first of them. */
  readonly told: Map<number, number>
}

export const CAMPAIGN = 'cam_Bench'
const PER_STREAM = 100
/** 20 calls in 2 s, less a reserve of 4. */
export const CALLS_PER_S = 8

/** Makes exports that end at an even rate, the last of them after `lastMs` milliseconds. */
export const addExports = (
  lemlist: Pick<Lemlist, 'add'>,
  count: number,
  lastMs: number,
): Pending[] => {
  const startedAt = Date.now()
  const { next } = createRandom(count)
  // In any order: the gateway looks at exports in the order of their streams.
  const ends = Array.from({ length: count }, (_, index) => ({ index, place: next() }))
  return ends
    .toSorted((a, b) => a.place - b.place)
    .map(({ index }) => {
      const durationMs = Math.round(((index + 1) / count) * lastMs)
      const { exportId } = lemlist.add({ campaignId: CAMPAIGN, durationMs, startsAt: startedAt })
      const told = new Map<number, number>()
      return { exportId, kind: 'watched', startedAt, doneAt: startedAt + durationMs, told }
    })
}

export const note = (one: Pending, watcher: number): void => {
  const now = Date.now()
  one.toldAt ??= now
  if (!one.told.has(watcher)) one.told.set(watcher, now)
}

/** Opens the streams of a watcher and notes when each export is told to be done. */
export const watchAll = (
  server: Server,
  exports: readonly Pending[],
  watcher = 0,
): Promise<() => void> => {
  const byId = new Map(exports.map((one) => [one.exportId, one]))
  const refs = exports.map(({ exportId }) => ({ campaignId: CAMPAIGN, exportId }))
  const onText = () => {
    let rest = ''
    return (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (!line.startsWith('data:') || !line.includes('"status":"done"')) continue
        const one = byId.get(/axp_\w+/.exec(line)?.[0] ?? '')
        if (one !== undefined) note(one, watcher)
      }
    }
  }
  return openStreams(server, inGroups(refs, PER_STREAM), { onText })
}

/**
 * The best mean delay that 8 calls a second allow: half of the time that a round over all exports
 * takes that are watched when one of them ends.
 */
export const optimumMs = (exports: readonly Simulated[], from: number, to: number): number => {
  const ends = exports.map(({ doneAt }) => doneAt).filter((at) => at >= from && at <= to)
  const watched = ends.map((at) => exports.filter(({ toldAt = to }) => toldAt > at).length)
  const meanCount = watched.reduce((sum, count) => sum + count, 0) / watched.length
  return (meanCount / CALLS_PER_S / 2) * 1_000
}
