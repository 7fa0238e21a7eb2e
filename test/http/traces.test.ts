import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.ts'
import { KEY, logLines, startGateway, statusPath } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { listenRaw } from '../helpers/raw-upstream.ts'
import { listenUntilTheEnd } from '../helpers/tls-front.ts'

/** Traces, as a receiver of OTLP gets them. */

interface SentSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly { readonly key: string; readonly value: object }[]
  readonly status: { readonly code?: number; readonly message?: string }
}
interface Sent {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[]
  }[]
}

const startReceiver = async () => {
  const bodies: string[] = []
  const requests: { url: string | undefined; token: unknown }[] = []
  const server = createServer(async (request, response) => {
    bodies.push(await text(request))
    requests.push({ url: request.url, token: request.headers['x-token'] })
    response.setHeader('content-type', 'application/json').end('{}')
  })
  const url = `http://127.0.0.1:${await listenUntilTheEnd(server)}`
  const spans = () =>
    bodies
      .map((body): Sent => JSON.parse(body))
      .flatMap(({ resourceSpans }) => resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans)
      .flatMap((scope) => scope.spans)
  return { url, bodies, requests, spans }
}

const start = async (env: Readonly<Record<string, string>> = {}) => {
  const receiver = await startReceiver()
  const gateway = await startGateway({
    lemlist: { rateLimit: UNLIMITED },
    env: { ...FAST, OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}/`, ...env },
  })
  return { ...gateway, receiver }
}

const THEIRS = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const TRACEPARENT = `00-${THEIRS.traceId}-${THEIRS.spanId}-01`

describe('a request of a caller', () => {
  it('goes on with his trace, has its call to lemlist as a part, and its id in the log', async () => {
    const { url, lemlist, receiver, logs, close } = await start({
      OTEL_EXPORTER_OTLP_HEADERS: 'X-Token=to%20ken',
    })
    const ref = lemlist.add({ durationMs: 0 })
    await fetch(url + statusPath(ref), { headers: { traceparent: TRACEPARENT } })
    await close()
    const named = (name: string) => receiver.spans().find((span) => span.name === name)
    const served = named('GET /campaigns/:campaignId/export/:exportId/status')
    const called = named('lemlist status')
    expect(served).toMatchObject({ traceId: THEIRS.traceId, parentSpanId: THEIRS.spanId })
    expect(called).toMatchObject({ traceId: THEIRS.traceId, parentSpanId: served?.spanId })
    const line = logLines(logs()).find(({ msg }) => msg === 'request')
    expect(line).toMatchObject({ traceId: THEIRS.traceId })
    expect(receiver.requests[0]).toEqual({ url: '/v1/traces', token: 'to ken' })
    expect(receiver.bodies.join()).not.toContain(KEY)
  })

  it('that lemlist fails is a span with an error', async () => {
    const { url, lemlist, receiver, close } = await start()
    const ref = lemlist.add()
    lemlist.script({}, { status: 503, body: '' })
    await fetch(url + statusPath(ref))
    await close()
    const statuses = receiver.spans().map(({ status }) => status.message)
    expect(statuses).toEqual(expect.arrayContaining(['server-error', 'upstream-unavailable']))
  })

  it('begins a trace when he has none, or one that is malformed', async () => {
    const { url, receiver, close } = await start()
    for (const traceparent of ['', 'x', '00-0-0-01']) {
      await fetch(`${url}/health/live`, { headers: { traceparent } })
    }
    await close()
    const spans = receiver.spans()
    expect(spans).toHaveLength(3)
    expect(spans.filter(({ parentSpanId }) => parentSpanId)).toEqual([])
  })

  it('is not recorded when nobody wants any of the traces that begin here', async () => {
    const { url, receiver, close } = await start({ OTEL_TRACES_SAMPLER_ARG: '0' })
    await fetch(`${url}/health/live`)
    await close()
    expect(receiver.spans()).toEqual([])
  })
})

describe('a poll', () => {
  it('is a trace of its own, whatever request made the export known', async () => {
    const { url, lemlist, receiver, close } = await start()
    const ref = lemlist.add({ outcome: 'never' })
    await fetch(url + statusPath(ref), { headers: { traceparent: TRACEPARENT } })
    await expect.poll(() => lemlist.calls.length).toBeGreaterThan(1)
    await close()
    const spans = receiver.spans()
    const poll = spans.find(({ name }) => name === 'poll')
    expect(poll?.parentSpanId ?? '').toBe('')
    expect(poll?.traceId).not.toBe(THEIRS.traceId)
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === poll?.spanId)
    expect(parts.map(({ name }) => name)).toEqual(['lemlist status'])
  })
})

describe('lemlist', () => {
  it('is never told of a trace', async () => {
    let heard = ''
    const upstream = await listenRaw((socket) => {
      socket.on('data', (chunk) => {
        heard += String(chunk)
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
      })
    })
    const { url } = await start({ LEMLIST_BASE_URL: upstream.url })
    await fetch(`${url}/campaigns/cam_A/export/axp_A/status`, {
      headers: { traceparent: TRACEPARENT, tracestate: 'a=b', baggage: 'c=d' },
    })
    expect(heard).toContain('GET ')
    expect(heard).not.toMatch(/trace|baggage/i)
  })
})

describe('a receiver with a credential in its URL', () => {
  it('is a fault of the configuration, because a message might show it', () => {
    const env = {
      LEMLIST_API_KEY: KEY,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:canary@collector:4318',
    }
    expect(() => loadConfig(env)).toThrow('OTEL_EXPORTER_OTLP_ENDPOINT: must hold no credential')
  })
})

describe('a receiver that is away', () => {
  it('costs no request, and is told in the log', async () => {
    const { url, logs, close } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
    await close()
    expect(logs()).toContain('traces could not be sent')
  })
})
