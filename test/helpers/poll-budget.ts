import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openEvents } from './event-connection.ts'
import { manyEventsPath, startGateway, statusPath, type TestGateway } from './gateway.ts'
import { busiestWindow } from './windows.ts'

/**
 * How the gateway shares out the budget when the polls want more calls than it has. The test runs at
 * lemlist's pace or at a faster one.
 */

/** The calls that the gateway makes in a window: lemlist's limit less a reserve of 4. */
const CALLS = 16
/** lemlist's limit, as lemlist counts the calls. */
const LIMIT = 20
/**
 * How much later a call may leave than the budget granted it. When this process stood still for
 * longer, that time counts instead.
 */
const JITTER_MS = 100

const WATCHED = 100
const IDLE = 50
/** The part of the budget that watched exports and callers have at least. */
const WATCHED_SHARE = 0.75
/** The part of the budget that exports that nobody watches have at least. */
const IDLE_SHARE = 0.25
/**
 * The part of the budget for the reads of this test. In each window it reads one new export, and one
 * export whose poll stands in line: 2 calls of 16.
 */
const READ_SHARE = 0.125
const STREAMS = 2
const READS = 30

/** All times of the test, milliseconds. They are `pace` times shorter than those of lemlist. */
const timesAt = (pace: number) => {
  const windowMs = 2_000 / pace
  const idleIntervalMs = 10_000 / pace
  const watchedIntervalMs = 15_000 / pace
  const roundMs = (count: number, share: number) => (count / (share * CALLS)) * windowMs
  return {
    windowMs,
    idleIntervalMs,
    watchedIntervalMs,
    /**
     * The reads take 60 s at the pace of lemlist. That is more than two rounds of all exports: a round
     * of the idle ones takes 50 / 2 s, and a round of the watched ones is shorter.
     */
    readEveryMs: 2_000 / pace,
    /**
     * The time in which the share of each kind allows one look at every export. The watched ones get
     * half of it more, and the idle ones a quarter, because the streams open at the beginning.
     */
    longestGapMs: {
      watched: 1.5 * roundMs(WATCHED, WATCHED_SHARE - READ_SHARE),
      idle: 1.25 * roundMs(IDLE, IDLE_SHARE),
    },
    env: {
      LEMLIST_RATE_WINDOW_MS: String(windowMs),
      // A caller waits for a call for a part of this time.
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
  /** Whether the read joined a poll that still stood in line. */
  readonly joinedInLine: boolean
}

interface Run {
  readonly from: number
  readonly to: number
  readonly watched: readonly Ref[]
  readonly idle: readonly Ref[]
  /** When lemlist was asked for each export, `performance.now()` milliseconds. */
  readonly looks: ReadonlyMap<string, readonly number[]>
  /** When the calls left, ascending `performance.now()` milliseconds. */
  readonly sent: readonly number[]
  /** When lemlist received the calls, ascending `performance.now()` milliseconds. */
  readonly arrived: readonly number[]
  readonly reads: readonly Read[]
  /** The longest time that this process stood still, milliseconds. */
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

/**
 * Notes when the headers of each call to lemlist are written to a socket. undici publishes these
 * times, also those of the test's own requests. The latter go to the gateway and are left out.
 */
const noteSent = (gatewayUrl: string, onEnd: (end: () => Promise<void>) => void): number[] => {
  const sent: number[] = []
  const channel = 'undici:client:sendHeaders'
  const note = (message: unknown) => {
    const { request } = z.object({ request: z.object({ origin: z.unknown() }) }).parse(message)
    if (String(request.origin) !== gatewayUrl) sent.push(performance.now())
  }
  subscribe(channel, note)
  onEnd(async () => void unsubscribe(channel, note))
  return sent
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

/**
 * Makes one long run, from which all tests read their figures. It takes more than a minute at the
 * pace of lemlist.
 */
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
  const sent = noteSent(url, onEnd)
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
  // Eight visitors read each export once. More of them at a time would not be answered in time. The
  // reads make lemlist confirm the exports: unconfirmed ones have at most a quarter of the budget.
  const unseen = [...idle, ...watched].values()
  const visitors = Array.from({ length: 8 }, async () => {
    for (const ref of unseen) {
      // When this process stands still for seconds, a read gives up. The visitor then asks again.
      let { status } = await read(gateway, ref)
      while (status === 503) ({ status } = await read(gateway, ref))
      expect(status).toBe(200)
    }
  })
  await Promise.all(visitors)

  const from = performance.now()
  const streams = Array.from({ length: STREAMS }, (_, stream) => {
    const refs = watched.filter((_, index) => index % STREAMS === stream)
    return openEvents(url + manyEventsPath(refs))
  })
  for (const { socket } of streams) onEnd(async () => void socket.destroy())
  // Waits until each stream has told what the gateway knows of all its exports.
  const told = new Set<string>()
  for (const { waitFor } of streams) {
    await waitFor(({ data }) => told.add(JSON.parse(data).exportId).size === WATCHED / STREAMS)
    told.clear()
  }
  const exports = [...idle, ...watched]
  const intervals = new Map(exports.map((ref) => [ref, watchedIntervalMs]))
  for (const ref of idle) intervals.set(ref, idleIntervalMs)
  /** Returns the export whose poll stands at the head of the line, or near it. */
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
  const arrived = lemlist.calls.map(({ at }) => at)
  const looks = lookTimes(lemlist)
  const ended = await Promise.all(reads)
  return { from, to, watched, idle, looks, sent, arrived, reads: ended, longestStallMs }
}

interface Options {
  /** How many times faster than lemlist the test runs. */
  readonly pace: number
  /** The part of the budget that the gateway must use. A busy machine loses some of it. */
  readonly least: number
}

/** Registers the tests. */
export const describePollBudget = ({ pace, least }: Options): void => {
  const times = timesAt(pace)
  const { windowMs, longestGapMs } = times

  describe('150 pending exports, two thirds of them watched', () => {
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
      expect(run.sent.length).toBeGreaterThanOrEqual(run.arrived.length)
      expect(busiestWindow(run.sent, windowMs - jitterMs)).toBeLessThanOrEqual(CALLS)
      expect(busiestWindow(run.arrived, windowMs)).toBeLessThanOrEqual(LIMIT)
    })

    it(`use at least ${100 * least} % of the budget`, () => {
      const spent = run.sent.filter((at) => at >= run.from && at <= run.to).length
      const given = (CALLS * (run.to - run.from)) / windowMs
      expect(spent).toBeGreaterThanOrEqual(least * given)
    })

    const gapsOf = (refs: readonly Ref[]): number[] =>
      refs.map(({ exportId }) => {
        const looks = run.looks.get(exportId) ?? []
        const before = looks.findLast((at) => at < run.from) ?? run.from
        const moments = [before, ...looks.filter((at) => at >= run.from && at <= run.to), run.to]
        return Math.max(...moments.slice(1).map((at, index) => at - (moments[index] ?? 0)))
      })

    it('are each looked at in time, also those that nobody watches', () => {
      expect(run.watched).toHaveLength(WATCHED)
      expect(Math.max(...gapsOf(run.watched))).toBeLessThanOrEqual(longestGapMs.watched)
      expect(run.idle).toHaveLength(IDLE)
      expect(Math.max(...gapsOf(run.idle))).toBeLessThanOrEqual(longestGapMs.idle)
    })

    it('leave room for callers, also for those who join a poll that stands in line', () => {
      const slowest = Math.max(...run.reads.map(({ ms }) => ms))
      expect(slowest).toBeLessThan(2_000)
      expect(new Set(run.reads.map(({ status }) => status))).toEqual(new Set([200]))
      expect(run.reads.filter(({ joinedInLine }) => joinedInLine).length).toBeGreaterThanOrEqual(5)
    })
  })
}
