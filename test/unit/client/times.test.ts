import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createTicket,
  getStatus,
  startExport,
  watchExport,
  watchExports,
} from '../../../src/client/client.js'
import { type Answer, END, json, scriptedFetch, stream } from '../../helpers/scripted-fetch.ts'

const REF = { baseUrl: 'http://gateway', campaignId: 'cam_1', exportId: 'axp_1' }
const HOUR_MS = 3_600_000
/** A gateway that has stopped, but whose machine still holds the connection. */
const hanging: Answer = ({ signal }) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))

afterEach(() => {
  vi.useRealTimers()
})

/** How often a watch connects in this time. */
const connections = async (answers: readonly Answer[], options: object, forMs: number) => {
  vi.useFakeTimers()
  const { fetch, asked } = scriptedFetch(...answers)
  const watch = watchExport({ ...REF, fetch, ...options })
  const next = watch.next()
  next.catch(() => {})
  await vi.advanceTimersByTimeAsync(forMs)
  await watch.return()
  await next
  return asked.length
}

// A timer that is set for more than 2^31 - 1 milliseconds rings at once. `silenceMs: Infinity` and a
// long `retry:` made the client reconnect without a pause.
describe('a time that no timer can hold', () => {
  it.each([Infinity, 2 ** 31, 1e12])('is never, as `silenceMs`: %s', async (silenceMs) => {
    const silent = stream([':\n\n'], { open: true })
    expect(await connections([silent], { silenceMs }, 48 * HOUR_MS)).toBe(1)
  })

  it.each([Infinity, 2 ** 31])('is never, as `timeoutMs`: %s', async (timeoutMs) => {
    expect(await connections([hanging], { timeoutMs }, 48 * HOUR_MS)).toBe(1)
  })

  it.each(['4294967296', '99999999999999999999'])(
    'is half a minute after `retry: %s`',
    async (ms) => {
      const cut = stream([`retry: ${ms}\n\n`])
      const open = stream([':\n'], { open: true })
      expect(await connections([cut, open], {}, 29_000)).toBe(1)
      expect(await connections([cut, open], {}, 38_000)).toBe(2)
    },
  )
})

describe('a time that is none', () => {
  it.each([0, -1, Number.NaN])('is a RangeError before any request: %s', async (ms) => {
    const { fetch, asked } = scriptedFetch(hanging)
    const options = { ...REF, fetch }
    const calls = [
      watchExport({ ...options, silenceMs: ms }).next(),
      watchExport({ ...options, timeoutMs: ms }).next(),
      watchExports({ fetch, exports: [REF], silenceMs: ms }).next(),
      getStatus({ ...options, timeoutMs: ms }),
      startExport({ ...options, timeoutMs: ms }),
      createTicket({ ...options, timeoutMs: ms }),
    ]
    for (const call of calls) await expect(call).rejects.toThrow(RangeError)
    expect(asked).toHaveLength(0)
  })
})

// A gateway that hung kept `startExport` and `getStatus` waiting for ever.
describe('a gateway that does not answer', () => {
  const failing = async (call: () => Promise<unknown>, afterMs: number) => {
    vi.useFakeTimers()
    const failed = vi.fn()
    call().catch(failed)
    await vi.advanceTimersByTimeAsync(afterMs - 1)
    expect(failed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(failed.mock.calls).toMatchObject([
      [{ code: 'disconnected', status: 0, retryable: true }],
    ])
    expect(vi.getTimerCount()).toBe(0)
  }

  it('fails a read after 30 seconds, and closes its connection', async () => {
    const { fetch, asked } = scriptedFetch(hanging)
    await failing(() => getStatus({ ...REF, fetch }), 30_000)
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true])
  })

  it('fails a read after `timeoutMs`, also in the middle of an answer', async () => {
    const begun: Answer = () => new Response(new ReadableStream({}))
    await failing(() => getStatus({ ...REF, ...scriptedFetch(begun), timeoutMs: 700 }), 700)
  })

  it('fails the request for a ticket', () =>
    failing(() => createTicket({ ...REF, ...scriptedFetch(hanging) }), 30_000))

  it('is asked to start again, with the same key', async () => {
    vi.useFakeTimers()
    const { fetch, asked } = scriptedFetch(hanging, json(201, { id: 'axp_1' }))
    const start = startExport({ ...REF, fetch, timeoutMs: 1_000 })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await start).toEqual({ id: 'axp_1' })
    expect(new Set(asked.map(({ headers }) => headers.get('idempotency-key'))).size).toBe(1)
  })

  it('is asked for a stream again', async () => {
    const count = await connections([hanging, stream([END])], {}, 30_000 + 4_000)
    expect(count).toBe(2)
  })
})
