import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type GatewayProblem, watchExport, watchExports } from '../../../src/client/client.js'
import {
  type Answer,
  END,
  event,
  json,
  offline,
  scriptedFetch,
  stream,
} from '../../helpers/scripted-fetch.ts'

const REF = { campaignId: 'cam_1', exportId: 'axp_1' }
const QUICK = 'retry: 10\n\n'
const status = (state: string, id?: string) => event('status', { status: { status: state } }, id)
const problem = (code: string, httpStatus: number, retryable = false) => ({
  code,
  status: httpStatus,
  title: code,
  detail: `${code}.`,
  retryable,
})

const watching = (answers: readonly Answer[], options = {}) => {
  const { fetch, asked } = scriptedFetch(...answers)
  const problems: GatewayProblem[] = []
  const onProblem = (one: GatewayProblem) => void problems.push(one)
  const watch = watchExport({ baseUrl: 'http://gateway', ...REF, fetch, onProblem, ...options })
  return { asked, problems, watch }
}

const collect = async <T>(watch: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const one of watch) all.push(one)
  return all
}

const statesOf = async (watch: ReturnType<typeof watchExport>) => {
  const states: string[] = []
  for await (const { status: fields } of watch) states.push(fields.status)
  return states
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a watch', () => {
  it('connects again after a cut, with the id of the last event', async () => {
    const { watch, asked } = watching([
      stream([QUICK, status('pending', 'v1'), 'id: v2\nevent: status\ndata: {"cut']),
      stream([status('done', 'v3'), END]),
    ])
    expect(await statesOf(watch)).toEqual(['pending', 'done'])
    expect(asked.map(({ headers }) => headers.get('last-event-id'))).toEqual([null, 'v1'])
    expect(asked.map(({ headers }) => headers.get('accept'))).toEqual(
      Array(2).fill('text/event-stream'),
    )
  })

  // Chromium holds a second request for the same URL back while the first one is open, because the
  // first answer might fill the cache.
  it('does not use the cache of the browser', async () => {
    const { watch, asked } = watching([stream([END])])
    await statesOf(watch)
    expect(asked).toMatchObject([{ cache: 'no-store' }])
  })

  it('is over after `end`, whatever comes after it', async () => {
    const { watch, asked } = watching([stream([status('done'), END, status('pending')])])
    expect(await statesOf(watch)).toEqual(['done'])
    expect(asked).toHaveLength(1)
  })

  it('is over when a reconnect is answered 204', async () => {
    const { watch, asked } = watching([
      stream([QUICK, status('done', 'v1')]),
      () => new Response(null, { status: 204 }),
    ])
    expect(await statesOf(watch)).toEqual(['done'])
    expect(asked).toHaveLength(2)
  })

  it.each([400, 401, 403, 404, 406, 410, 414])(
    'ends with the problem of the gateway after a %i',
    async (code) => {
      const { watch, asked } = watching([json(code, problem('refused', code))])
      await expect(watch.next()).rejects.toMatchObject({
        name: 'GatewayProblem',
        ...problem('refused', code),
      })
      expect(await watch.next()).toEqual({ done: true, value: undefined })
      expect(asked).toHaveLength(1)
    },
  )

  it.each([408, 429, 500, 502, 503, 504])(
    'goes on after a %i, and reports the problem',
    async (code) => {
      vi.useFakeTimers()
      const { watch, problems } = watching([
        json(code, problem('passes', code, code < 500)),
        stream([status('done'), END]),
      ])
      const states = statesOf(watch)
      await vi.advanceTimersByTimeAsync(5_000)
      expect(await states).toEqual(['done'])
      expect(problems).toMatchObject([problem('passes', code, code < 500)])
    },
  )

  it('goes on after an answer that is no event stream', async () => {
    vi.useFakeTimers()
    const { watch, problems } = watching([
      () => new Response('<p>Log in', { headers: { 'content-type': 'text/html' } }),
      stream([status('done'), END]),
    ])
    const states = statesOf(watch)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await states).toEqual(['done'])
    expect(problems).toMatchObject([{ code: 'unexpected-answer', status: 200, retryable: true }])
  })

  it('ends at `gone` with the problem, as at a refusal', async () => {
    const { watch } = watching([
      stream([status('pending'), event('gone', problem('export-timed-out', 404)), END]),
    ])
    await watch.next()
    await expect(watch.next()).rejects.toMatchObject(problem('export-timed-out', 404))
  })

  it('reports trouble that passes, and goes on', async () => {
    const { watch, problems } = watching([
      stream([event('problem', problem('upstream-unavailable', 503)), status('done'), END]),
    ])
    expect(await statesOf(watch)).toEqual(['done'])
    expect(problems).toMatchObject([problem('upstream-unavailable', 503)])
  })

  it('reports every time that it is connected', async () => {
    const onOpen = vi.fn()
    const { watch } = watching([stream([QUICK, status('pending')]), stream([END])], { onOpen })
    await statesOf(watch)
    expect(onOpen).toHaveBeenCalledTimes(2)
  })

  it('asks for its headers again at every connection', async () => {
    let token = 0
    const headers = async () => ({ authorization: `Bearer ${++token}` })
    const { watch, asked } = watching([stream([QUICK, status('pending')]), stream([END])], {
      headers,
    })
    await statesOf(watch)
    expect(asked.map((one) => one.headers.get('authorization'))).toEqual(['Bearer 1', 'Bearer 2'])
  })
})

describe('the wait between two connections', () => {
  /** The waits between the requests that a client makes in this time, milliseconds. */
  const times = async (answers: readonly Answer[], forMs: number) => {
    vi.useFakeTimers()
    const at: number[] = []
    const { fetch } = scriptedFetch(...answers)
    const watch = watchExport({
      ...REF,
      fetch: (...request) => {
        at.push(Date.now())
        return fetch(...request)
      },
    })
    const next = watch.next()
    await vi.advanceTimersByTimeAsync(forMs)
    await watch.return()
    await next
    return at.map((time, index) => time - (at[index - 1] ?? time)).slice(1)
  }

  it('is never shorter than `retry:` says, and differs between clients', async () => {
    const waits: number[] = []
    for (let client = 0; client < 8; client += 1) {
      const [wait = 0] = await times(
        [stream(['retry: 4000\n\n']), stream([], { open: true })],
        9_000,
      )
      waits.push(wait)
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4_000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000)
    expect(new Set(waits).size).toBeGreaterThan(1)
  })

  it('doubles while nobody answers, up to half a minute', async () => {
    const waits = await times([offline], 120_000)
    for (const [index, base] of [3_000, 6_000, 12_000, 24_000, 30_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(base)
      expect(waits[index]).toBeLessThanOrEqual(base * 1.25)
    }
  })

  it('is as long as `Retry-After` asks for, up to half a minute', async () => {
    const busy = (seconds: string) =>
      json(503, problem('overloaded', 503), { 'retry-after': seconds })
    const [first, second] = await times([busy('7'), busy('3600'), offline], 60_000)
    expect(first).toBe(7_000)
    expect(second).toBe(30_000)
  })

  it('is at least 10 ms, even after `retry: 0`', async () => {
    const [wait] = await times([stream(['retry: 0\n\n']), stream([], { open: true })], 100)
    expect(wait).toBeGreaterThanOrEqual(10)
  })

  it('begins when a connection has been silent for three heartbeats', async () => {
    const heartbeat = stream([':\n\n'], { open: true })
    const [wait = 0] = await times([heartbeat], 55_000)
    expect(wait).toBeGreaterThanOrEqual(45_000 + 3_000)
    expect(wait).toBeLessThanOrEqual(45_000 + 3_750)
  })
})

describe('a watch that nobody reads', () => {
  it('asks for nothing before the first `next`', () => {
    const { asked } = watching([offline])
    expect(asked).toHaveLength(0)
  })

  it('closes its connection at `return`, while a `next` is waiting', async () => {
    const released = Promise.withResolvers<void>()
    const { watch, asked } = watching([
      stream([':\n\n'], { open: true, onCancel: released.resolve }),
    ])
    const next = watch.next()
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    await watch.return()
    await released.promise
    expect(await next).toEqual({ done: true, value: undefined })
    expect(asked).toHaveLength(1)
  })

  it('closes its connection at `break`', async () => {
    const released = Promise.withResolvers<void>()
    const script = stream([status('pending')], { open: true, onCancel: released.resolve })
    for await (const _ of watching([script]).watch) break
    await released.promise
  })

  it('stops waiting for its next try at `return`', async () => {
    vi.useFakeTimers()
    const { watch, asked } = watching([offline])
    const next = watch.next()
    await vi.advanceTimersByTimeAsync(1)
    await watch.return()
    expect(await next).toEqual({ done: true, value: undefined })
    expect(vi.getTimerCount()).toBe(0)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toHaveLength(1)
  })

  it('throws the reason of its signal, while it reads and while it waits', async () => {
    const answers = [stream([':\n\n'], { open: true }), offline]
    for (const answer of answers) {
      const stop = new AbortController()
      const { watch, asked } = watching([answer], { signal: stop.signal })
      const next = watch.next()
      await vi.waitFor(() => expect(asked).toHaveLength(1))
      await turn()
      stop.abort(new Error('enough'))
      await expect(next).rejects.toThrow('enough')
      expect(await watch.next()).toEqual({ done: true, value: undefined })
    }
  })

  it('does not begin when its signal has been aborted before', async () => {
    const { watch, asked } = watching([offline], { signal: AbortSignal.abort(new Error('never')) })
    await expect(watch.next()).rejects.toThrow('never')
    expect(asked).toHaveLength(0)
  })

  it('leaves no timer behind after its end', async () => {
    vi.useFakeTimers()
    const { watch } = watching([stream([status('done'), END])])
    await statesOf(watch)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a watch of many exports', () => {
  const many = (answers: readonly Answer[]) => {
    const { fetch, asked } = scriptedFetch(...answers)
    const onProblem = vi.fn()
    const exports = [REF, { campaignId: 'cam_1', exportId: 'axp_2' }]
    return { asked, onProblem, watch: watchExports({ exports, fetch, onProblem }) }
  }

  it('names the export of every status, problem and end', async () => {
    const body = { status: { status: 'done' } }
    const second = { campaignId: 'cam_1', exportId: 'axp_2' }
    const { watch, asked } = many([
      stream([
        event('problem', { ...problem('upstream-unavailable', 503), ...REF }),
        event('status', { ...REF, body }),
        event('gone', { ...problem('export-not-found', 404), ...second }),
        END,
      ]),
    ])
    const told = await collect(watch)
    expect(told).toMatchObject([
      { type: 'problem', ...REF, problem: { code: 'upstream-unavailable' } },
      { type: 'status', ...REF, body },
      { type: 'gone', ...second, problem: { code: 'export-not-found', name: 'GatewayProblem' } },
    ])
    expect(asked.map(({ url }) => url)).toEqual(['/events?export=cam_1/axp_1&export=cam_1/axp_2'])
  })

  it('reports trouble of the stream itself to `onProblem`', async () => {
    const { watch, onProblem } = many([
      stream([event('problem', problem('overloaded', 503)), QUICK]),
      stream([END]),
    ])
    expect(await collect(watch)).toEqual([])
    expect(onProblem.mock.calls).toMatchObject([
      [{ code: 'overloaded' }],
      [{ code: 'disconnected' }],
    ])
  })
})
