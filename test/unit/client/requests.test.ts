import { afterEach, describe, expect, it, vi } from 'vitest'
import { downloadUrl, getStatus, startExport } from '../../../src/client/client.js'
import { json, offline, scriptedFetch } from '../../helpers/scripted-fetch.ts'

const REF = { baseUrl: 'https://gateway.example', campaignId: 'cam_1', exportId: 'axp_1' }
const started = { id: 'axp_1', status: 'pending' }
const problem = (code: string, status: number) => ({
  code,
  status,
  title: code,
  detail: `${code}.`,
  retryable: true,
})
const keysOf = (asked: readonly { headers: Headers }[]) =>
  asked.map(({ headers }) => headers.get('idempotency-key'))

afterEach(() => {
  vi.useRealTimers()
})

describe('downloadUrl', () => {
  it('is the file of the export, on the origin of the page by default', () => {
    expect(downloadUrl(REF)).toBe('https://gateway.example/campaigns/cam_1/export/axp_1/file')
    expect(downloadUrl({ campaignId: 'cam_1', exportId: 'axp_1' })).toBe(
      '/campaigns/cam_1/export/axp_1/file',
    )
  })

  it('encodes the ids, so that none of them leads to another path', () => {
    expect(downloadUrl({ campaignId: '../a?b', exportId: 'c/d#e' })).toBe(
      '/campaigns/..%2Fa%3Fb/export/c%2Fd%23e/file',
    )
  })
})

describe('getStatus', () => {
  it('resolves to what the gateway says now', async () => {
    const { fetch, asked } = scriptedFetch(json(200, { ok: true, status: { status: 'done' } }))
    const headers = { authorization: 'Bearer 1' }
    expect(await getStatus({ ...REF, fetch, headers })).toEqual({
      ok: true,
      status: { status: 'done' },
    })
    expect(asked).toMatchObject([
      { url: 'https://gateway.example/campaigns/cam_1/export/axp_1/status', method: 'GET' },
    ])
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer 1')
  })

  it('throws the problem of the gateway, and asks only once', async () => {
    const { fetch, asked } = scriptedFetch(json(503, problem('overloaded', 503)))
    const error = await getStatus({ ...REF, fetch }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ message: 'overloaded.', ...problem('overloaded', 503) })
    expect(asked).toHaveLength(1)
  })

  it('throws a problem of its own when nobody answers, or something that is not the gateway', async () => {
    await expect(getStatus({ ...REF, ...scriptedFetch(offline) })).rejects.toMatchObject({
      code: 'disconnected',
      status: 0,
      retryable: true,
      cause: new TypeError('fetch failed'),
    })
    const page = () => new Response('<h1>Bad gateway', { status: 502 })
    await expect(getStatus({ ...REF, ...scriptedFetch(page) })).rejects.toMatchObject({
      code: 'unexpected-answer',
      status: 502,
    })
  })

  it('throws the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(getStatus({ ...REF, ...scriptedFetch(offline), signal })).rejects.toThrow('enough')
  })
})

describe('startExport', () => {
  it('sends a POST with a new key for each call', async () => {
    const { fetch, asked } = scriptedFetch(json(201, started))
    expect(await startExport({ ...REF, fetch })).toEqual(started)
    await startExport({ ...REF, fetch })
    expect(asked).toMatchObject([
      { url: 'https://gateway.example/campaigns/cam_1/export/start', method: 'POST' },
      { method: 'POST' },
    ])
    const [first, second] = keysOf(asked)
    expect(first).toMatch(/^[0-9-]{20,60}$/)
    expect(second).not.toBe(first)
  })

  it('sends the key of the caller instead', async () => {
    const { fetch, asked } = scriptedFetch(json(201, started))
    await startExport({ ...REF, fetch, idempotencyKey: 'order-7' })
    expect(keysOf(asked)).toEqual(['order-7'])
  })

  it('asks again with the same key when no answer came, or the start is in progress', async () => {
    vi.useFakeTimers()
    const inProgress = json(409, problem('idempotency-in-progress', 409))
    const { fetch, asked } = scriptedFetch(offline, inProgress, json(201, started))
    const start = startExport({ ...REF, fetch })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await start).toEqual(started)
    expect(keysOf(asked)).toHaveLength(3)
    expect(new Set(keysOf(asked)).size).toBe(1)
  })

  it.each(['start-outcome-unknown', 'upstream-unavailable', 'upstream-timeout', 'overloaded'])(
    'takes the problem %s as the answer, and does not ask again',
    async (code) => {
      const { fetch, asked } = scriptedFetch(json(503, problem(code, 503)))
      await expect(startExport({ ...REF, fetch })).rejects.toMatchObject({ code })
      expect(asked).toHaveLength(1)
    },
  )

  it('gives up after 6 requests without an answer', async () => {
    vi.useFakeTimers()
    const { fetch, asked } = scriptedFetch(offline)
    const start = startExport({ ...REF, fetch }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await start).toMatchObject({ code: 'disconnected' })
    expect(asked).toHaveLength(6)
  })

  it('does not ask again after its signal is aborted', async () => {
    vi.useFakeTimers()
    const stop = new AbortController()
    const { fetch, asked } = scriptedFetch(offline)
    const start = startExport({ ...REF, fetch, signal: stop.signal }).catch(
      (error: unknown) => error,
    )
    await vi.advanceTimersByTimeAsync(1)
    stop.abort(new Error('enough'))
    expect(await start).toEqual(new Error('enough'))
    expect(vi.getTimerCount()).toBe(0)
    expect(asked).toHaveLength(1)
  })
})
