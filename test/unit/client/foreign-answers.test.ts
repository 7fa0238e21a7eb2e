import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  createTicket,
  type GatewayProblem,
  getStatus,
  startExport,
  watchExport,
} from '../../../src/client/client.js'
import {
  type Answer,
  END,
  event,
  json,
  scriptedFetch,
  stream,
} from '../../helpers/scripted-fetch.ts'

const REF = { baseUrl: 'http://gateway', campaignId: 'cam_1', exportId: 'axp_1' }
const DONE = { status: { status: 'done' } }
const started = { id: 'axp_1', status: 'pending' }
const answer =
  (status: number, type: string, body: string): Answer =>
  () =>
    new Response(body, { status, headers: { 'content-type': type } })
const html = (status: number) => answer(status, 'text/html', '<h1>Sorry')

afterEach(() => {
  vi.useRealTimers()
})

// A proxy in front of the gateway once answered `503 {"code":503}`, and that ended the watch: any
// answer with a `code` counted as a problem of the gateway.
describe('an answer that is not the gateway’s', () => {
  const told = { type: 'urn:x', code: 'no-route', status: 404, title: 'No', detail: 'No.' }
  const foreign: [string, number, Answer][] = [
    ['a code that is a number', 503, answer(503, 'application/json', '{"code":503,"message":"x"}')],
    ['a code, but another media type', 404, answer(404, 'application/json', JSON.stringify(told))],
    ['the media type, but no code', 403, answer(403, 'application/problem+json', '{"status":403}')],
    ['a code, but no status', 400, answer(400, 'application/problem+json', '{"code":"bad"}')],
    ['the media type, but no JSON', 502, answer(502, 'application/problem+json', '<h1>')],
    ['the media type, and null', 502, answer(502, 'application/problem+json', 'null')],
    ['a page', 404, html(404)],
    ['no type at all', 403, () => new Response(null, { status: 403 })],
  ]

  it.each(foreign)(
    'is trouble that passes for a watch when it has %s',
    async (_, status, first) => {
      vi.useFakeTimers()
      const problems: GatewayProblem[] = []
      const onProblem = (one: GatewayProblem) => void problems.push(one)
      const script = scriptedFetch(first, stream([event('status', DONE), END]))
      const next = watchExport({ ...REF, ...script, onProblem }).next()
      await vi.advanceTimersByTimeAsync(5_000)
      expect(await next).toEqual({ done: false, value: DONE })
      expect(problems).toMatchObject([{ code: 'unexpected-answer', status, retryable: true }])
      expect(problems[0]?.detail).toContain(`HTTP ${status}`)
    },
  )

  it.each(foreign)('is told with its status to a read when it has %s', async (_, status, first) => {
    const read = getStatus({ ...REF, ...scriptedFetch(first) })
    await expect(read).rejects.toMatchObject({ code: 'unexpected-answer', status })
  })

  it.each([
    ['a page', html(200)],
    ['no JSON object', json(200, null)],
    ['an object without what was asked for', json(200, {})],
  ])('is noticed when it is a 200 with %s', async (_, first) => {
    const told = { code: 'unexpected-answer', status: 200 }
    const options = { ...REF, ...scriptedFetch(first) }
    await expect(getStatus(options)).rejects.toMatchObject(told)
    await expect(createTicket({ ...options, campaigns: [] })).rejects.toMatchObject(told)
  })

  // The first answer may have been lost behind the proxy that sent this one.
  it.each([
    ['a page with 504', html(504)],
    ['a 201 without an id', json(201, {})],
  ])('makes a start ask again with the same key: %s', async (_, first) => {
    vi.useFakeTimers()
    const { fetch, asked } = scriptedFetch(first, json(201, started))
    const start = startExport({ ...REF, fetch })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await start).toEqual(started)
    expect(new Set(asked.map(({ headers }) => headers.get('idempotency-key'))).size).toBe(1)
    expect(asked).toHaveLength(2)
  })
})

describe('an event that the client cannot read', () => {
  it('is ignored when the client does not know its name, whatever its data is', async () => {
    const onProblem = vi.fn()
    const script = scriptedFetch(
      stream(['event: news\ndata: hello\n\n', event('status', DONE), END]),
    )
    const watch = watchExport({ ...REF, ...script, onProblem })
    expect(await watch.next()).toEqual({ done: false, value: DONE })
    expect(onProblem).not.toHaveBeenCalled()
    await watch.return()
  })

  it.each(['event: status\ndata: {"cut\n\n', 'event: problem\ndata: null\n\n'])(
    'is trouble that passes: %j',
    async (text) => {
      const onProblem = vi.fn()
      const script = scriptedFetch(stream(['retry: 10\n\n', text]), stream([event('status', DONE)]))
      const watch = watchExport({ ...REF, ...script, onProblem })
      expect(await watch.next()).toEqual({ done: false, value: DONE })
      expect(onProblem.mock.calls[0]).toMatchObject([{ code: 'unexpected-answer', status: 200 }])
      await watch.return()
    },
  )
})
