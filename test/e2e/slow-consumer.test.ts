import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Lemlist } from '../../src/sandbox/lemlist.ts'
import { type EventConnection, openEvents } from '../helpers/event-connection.ts'
import { BOUNDLESS } from '../helpers/faults.ts'
import { eventsPath, logLines, manyEventsPath, startGateway } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { pendingBody } from '../helpers/status-bodies.ts'

const ENV = {
  ...BOUNDLESS,
  POLL_FIRST_MS: '250',
  POLL_INTERVAL_MS: '800',
  POLL_MAX_INTERVAL_MS: '800',
}
const EXPORTS = 100
const SMALL_BYTES = 1_024
/** As large as a status may be: what fills the buffers of two kernels soon. */
const LARGE_BYTES = 15 * 1_024

interface Run {
  /** How long after its socket was full for the first time it was cut. */
  readonly cutAfterMs: number
  /** The most that was unsent for it at any time. */
  readonly unsentBytes: number
  /** From lemlist's answer to the event, of a client beside it, before it was cut. */
  readonly delaysMs: readonly number[]
  readonly healthy: EventConnection
  readonly healthyEnded: boolean
  readonly endings: readonly unknown[]
}

/** Exports whose status is another at every look: filled up to a size, with the time of the answer. */
const changing = (lemlist: Lemlist, count: number, bytes: number) =>
  Array.from({ length: count }, () => {
    const ref = lemlist.add()
    lemlist.script(
      { exportId: ref.exportId },
      {
        get body() {
          const fields = { answeredAt: performance.now(), filling: '' }
          const filling = 'x'.repeat(bytes - pendingBody(fields, ref).length)
          return pendingBody({ ...fields, filling }, ref)
        },
      },
    )
    return ref
  })

/** One run that all figures are read from: half a minute is what a stalled client is granted. */
const observe = async (onEnd: (end: () => Promise<void>) => void): Promise<Run> => {
  const { url, app, lemlist, logs } = await startGateway({
    env: ENV,
    lemlist: { rateLimit: UNLIMITED },
    onEnd,
  })
  const watch = (path: string): EventConnection => {
    const stream = openEvents(url + path)
    onEnd(async () => void stream.socket.destroy())
    return stream
  }
  const [single, ...small] = changing(lemlist, EXPORTS + 1, SMALL_BYTES)
  const large = changing(lemlist, EXPORTS, LARGE_BYTES)
  if (single === undefined) throw new Error('there is one')

  const stalledPath = manyEventsPath(large)
  let response: ServerResponse | undefined
  const cut = Promise.withResolvers<number>()
  app.server.server.on('request', (request, itsResponse) => {
    if (request.url !== stalledPath) return
    response = itsResponse
    itsResponse.once('close', () => cut.resolve(performance.now()))
  })

  const beside = watch(eventsPath(single))
  const healthy = watch(manyEventsPath(small))
  let healthyEnded = false
  void healthy.ended.then(() => {
    healthyEnded = true
  })
  const stalled = watch(stalledPath)
  await stalled.waitFor(({ event }) => event === 'status')
  stalled.socket.pause()
  const from = performance.now()
  let unsentBytes = 0
  // Long after it stopped, because the buffers of both kernels fill first.
  let fullAt: number | undefined
  const sampling = setInterval(() => {
    unsentBytes = Math.max(unsentBytes, response?.writableLength ?? 0)
    if (unsentBytes > 0) fullAt ??= performance.now()
  }, 20)
  const cutAt = await Promise.race([cut.promise, delay(60_000, Number.POSITIVE_INFINITY)])
  clearInterval(sampling)

  const delaysMs = beside.events
    .filter(({ at }) => at > from)
    .map(({ at, data }) => at - JSON.parse(data).status.answeredAt)
  const endings = logLines(logs())
    .filter(({ msg }) => msg === 'stream')
    .map(({ ending }) => ending)
  return {
    cutAfterMs: cutAt - (fullAt ?? cutAt),
    unsentBytes,
    delaysMs,
    healthy,
    healthyEnded,
    endings,
  }
}

describe('a subscriber that stops reading', () => {
  let run: Run
  beforeAll(async () => {
    const ends: (() => Promise<void>)[] = []
    try {
      run = await observe((end) => void ends.unshift(end))
    } finally {
      for (const end of ends) await end()
    }
  }, 120_000)

  it('is cut 30 to 35 s after its socket was full for the first time', () => {
    // The samples see the full socket up to 20 ms late, or later on a busy machine.
    expect(run.cutAfterMs).toBeGreaterThan(29_500)
    expect(run.cutAfterMs).toBeLessThan(35_000)
    expect(run.endings).toEqual(['slow'])
  })

  it('holds at most 64 KiB of unsent bytes', () => {
    expect(run.unsentBytes).toBeGreaterThan(0)
    expect(run.unsentBytes).toBeLessThanOrEqual(64 * 1_024)
  })

  it('delays nobody else', () => {
    expect(run.delaysMs.length).toBeGreaterThan(20)
    const [median = Infinity] = run.delaysMs
      .toSorted((one, other) => one - other)
      .slice(Math.floor(run.delaysMs.length / 2))
    expect(median).toBeLessThan(50)
    expect(Math.max(...run.delaysMs)).toBeLessThan(1_000)
  })

  it('is not taken for a healthy client of 100 exports, which is never cut', () => {
    expect(run.healthyEnded).toBe(false)
    const told = new Map<string, number>()
    for (const { data } of run.healthy.events) {
      const { exportId } = JSON.parse(data)
      told.set(exportId, (told.get(exportId) ?? 0) + 1)
    }
    expect(told.size).toBe(EXPORTS)
    expect(Math.min(...told.values())).toBeGreaterThan(10)
    const [first] = run.healthy.events
    expect(JSON.stringify(JSON.parse(first?.data ?? '').body)).toHaveLength(SMALL_BYTES)
  })
})
