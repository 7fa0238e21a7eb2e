import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { openEvents } from './event-connection.ts'
import { manyEventsPath, startGateway, statusPath, type TestGateway } from './gateway.ts'
import { busiestWindow } from './windows.ts'

/** More polls than the budget has calls: how it is shared out, at lemlist's pace or at a faster one. */

/** lemlist's 20 calls in a window, less a reserve of 4, as it counts them itself. */
const CALLS = 16
const LIMIT = 20
/** What is sent apart may arrive closer together: by so much, or as long as this process stood still. */
const JITTER_MS = 100

const WATCHED = 150
const IDLE = 150
const STREAMS = 2
const READS = 45

/** All that takes time, at so many times the pace of lemlist. */
const timesAt = (pace: number) => {
  const windowMs = 2_000 / pace
  const idleIntervalMs = 10_000 / pace
  const watchedIntervalMs = 15_000 / pace
  const roundMs = ((WATCHED + IDLE) / CALLS) * windowMs
  return {
    windowMs,
    idleIntervalMs,
    watchedIntervalMs,
    /** Together more than two rounds of all exports: a round takes 300 / 8 s at the pace of lemlist. */
    readEveryMs: 2_000 / pace,
    /** The larger of the longest own interval, with its jitter, and what the budget allows. */
    longestGapMs: Math.max(1.1 * watchedIntervalMs, 1.5 * roundMs),
    env: {
      LEMLIST_RATE_WINDOW_MS: String(windowMs),
      // How long a caller waits for a call is a part of this.
      LEMLIST_TIMEOUT_MS: String(10_000 / pace),
      POLL_FIRST_MS: String(1_000 / pace),
      POLL_INTERVAL_MS: String(5_000 / pace),
      POLL_MAX_INTERVAL_MS: String(watchedIntervalMs),
      POLL_IDLE_INTERVAL_MS: String(idleIntervalMs),
      SSE_HEARTBEAT_MS: String(15_000 / pace),
    },
  }
}
type Times = ReturnType<typeof timesAt>

type Ref = { readonly campaignId: string; readonly exportId: string }

interface Read {
  readonly status: number
  readonly ms: number
  /** Whether it joined a poll that had not left yet. */
  readonly joinedInLine: boolean
}

interface Run {
  readonly from: number
  readonly to: number
  readonly exports: readonly Ref[]
  /** When lemlist was asked, by export; `performance.now()` milliseconds. */
  readonly looks: ReadonlyMap<string, readonly number[]>
  readonly times: readonly number[]
  readonly reads: readonly Read[]
  /** The longest that this process stood still. */
  readonly longestStallMs: number
}

const lookTimes = (lemlist: TestGateway['lemlist']): Map<string, number[]> => {
  const looks = new Map<string, number[]>()
  for (const { exportId = '', at } of lemlist.calls) {
    const times = looks.get(exportId)
    if (times === undefined) looks.set(exportId, [at])
    else times.push(at)
  }
  return looks
}

const read = async ({ url, lemlist }: TestGateway, ref: Ref): Promise<Read> => {
  const began = performance.now()
  const response = await fetch(url + statusPath(ref))
  await response.text()
  const collapsed = response.headers.get('cache-status')?.includes('collapsed') === true
  const left = lemlist.calls.findLast(({ exportId }) => exportId === ref.exportId)?.at ?? 0
  const ms = performance.now() - began
  return { status: response.status, ms, joinedInLine: collapsed && left > began }
}

/** One long run that all the figures are read from: it takes as long as the promise is about. */
const observe = async (
  { env, windowMs, idleIntervalMs, watchedIntervalMs, readEveryMs }: Times,
  onEnd: (end: () => Promise<void>) => void,
): Promise<Run> => {
  const gateway = await startGateway({
    env,
    lemlist: { rateLimit: { calls: LIMIT, windowMs } },
    onEnd,
  })
  const { url, lemlist } = gateway
  const stalls = monitorEventLoopDelay({ resolution: 10 })
  stalls.enable()
  const pending = (count: number): Ref[] =>
    Array.from({ length: count }, () => {
      const ref = lemlist.add({ outcome: 'never' })
      lemlist.progress(ref.exportId, 1, 2)
      return ref
    })
  const idle = pending(IDLE)
  const watched = pending(WATCHED)
  // Seen once each, by as few at a time as are answered in time.
  const unseen = idle.values()
  const visitors = Array.from({ length: 8 }, async () => {
    for (const ref of unseen) expect((await read(gateway, ref)).status).toBe(200)
  })
  await Promise.all(visitors)

  const from = performance.now()
  const streams = Array.from({ length: STREAMS }, (_, stream) => {
    const refs = watched.filter((_, index) => index % STREAMS === stream)
    return openEvents(url + manyEventsPath(refs))
  })
  for (const { socket } of streams) onEnd(async () => void socket.destroy())
  // Each watched export is a caller's read at first, and told a status or that it takes longer.
  const told = new Set<string>()
  for (const { waitFor } of streams) {
    await waitFor(({ data }) => told.add(JSON.parse(data).exportId).size === WATCHED / STREAMS)
    told.clear()
  }
  const exports = [...idle, ...watched]
  const intervals = new Map(exports.map((ref) => [ref, watchedIntervalMs]))
  for (const ref of idle) intervals.set(ref, idleIntervalMs)
  /** The one that stands at the head of the line, or near it. */
  const nextInLine = (): Ref | undefined => {
    const looks = lookTimes(lemlist)
    const deadline = (ref: Ref) =>
      (looks.get(ref.exportId)?.at(-1) ?? 0) + 2 * (intervals.get(ref) ?? 0)
    return exports.toSorted((one, other) => deadline(one) - deadline(other))[0]
  }

  const reads: Promise<Read>[] = []
  while (reads.length < 2 * READS) {
    await delay(readEveryMs)
    const other = lemlist.add({ durationMs: 1_000, startedBeforeMs: 60_000 })
    reads.push(read(gateway, other))
    const next = nextInLine()
    if (next !== undefined) reads.push(read(gateway, next))
  }
  const to = performance.now()
  stalls.disable()
  const longestStallMs = stalls.max / 1_000_000
  const times = lemlist.calls.map(({ at }) => at).filter((at) => at <= to)
  const looks = lookTimes(lemlist)
  return { from, to, exports, looks, times, reads: await Promise.all(reads), longestStallMs }
}

interface Options {
  /** How many times faster than lemlist. */
  readonly pace: number
  /** The part of the budget that must be put to use. A busy machine loses some of it. */
  readonly least: number
}

/** Registers the tests. */
export const describePollBudget = ({ pace, least }: Options): void => {
  const times = timesAt(pace)
  const { windowMs, longestGapMs } = times

  describe('300 pending exports, half of them watched and half of them not', () => {
    let run: Run
    beforeAll(async () => {
      const ends: (() => Promise<void>)[] = []
      try {
        run = await observe(times, (end) => void ends.unshift(end))
      } finally {
        for (const end of ends) await end()
      }
    }, 180_000)

    it('cost at most 16 calls in any window as they are sent, and 20 as they arrive', () => {
      const jitterMs = Math.max(JITTER_MS, run.longestStallMs)
      expect(busiestWindow(run.times, windowMs - jitterMs)).toBeLessThanOrEqual(CALLS)
      expect(busiestWindow(run.times, windowMs)).toBeLessThanOrEqual(LIMIT)
    })

    it(`put at least ${100 * least} % of the budget to use`, () => {
      const spent = run.times.filter((at) => at >= run.from).length
      const given = (CALLS * (run.to - run.from)) / windowMs
      expect(spent).toBeGreaterThanOrEqual(least * given)
    })

    it('are each looked at in time', () => {
      const gaps = run.exports.map(({ exportId }) => {
        const looks = run.looks.get(exportId) ?? []
        const before = looks.findLast((at) => at < run.from) ?? run.from
        const moments = [before, ...looks.filter((at) => at >= run.from && at <= run.to), run.to]
        return Math.max(...moments.slice(1).map((at, index) => at - (moments[index] ?? 0)))
      })
      expect(gaps).toHaveLength(WATCHED + IDLE)
      expect(Math.max(...gaps)).toBeLessThanOrEqual(longestGapMs)
    })

    it('leave room for callers, also for those who join a poll that waits in line', () => {
      const slowest = Math.max(...run.reads.map(({ ms }) => ms))
      expect(slowest).toBeLessThan(2_000)
      expect(new Set(run.reads.map(({ status }) => status))).toEqual(new Set([200]))
      expect(run.reads.filter(({ joinedInLine }) => joinedInLine).length).toBeGreaterThanOrEqual(5)
    })
  })
}
