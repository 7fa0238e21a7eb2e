import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, startGateway, statusPath, type TestGateway } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { tempDirectory } from '../helpers/process.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { ask, rawRequest } from '../helpers/wire.ts'

/** Each metric moves when its cause does, and no label holds what a caller chooses. */

const start = async (
  env: Readonly<Record<string, string>> = {},
  options: Parameters<typeof startGateway>[0] = {},
) => {
  const gateway = await startGateway({
    ...options,
    lemlist: { rateLimit: UNLIMITED },
    env: { ...FAST, OPS_PORT: '0', ...env },
  })
  const ops = `http://127.0.0.1:${gateway.app.opsPort()}`
  return { ...gateway, ops, read: () => samplesAt(ops) }
}

const operations = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
/** No token comes, so no key is fetched. */
const JWT = {
  ...{ JWT_JWKS_URL: 'https://provider.example/keys', JWT_ISSUER: 'https://provider.example' },
  ...{ JWT_AUDIENCE: 'gateway', TICKET_SECRET: 'a secret of at least thirty-two bytes' },
}

/** The value of each series, by its name and labels. */
const samplesAt = async (ops: string): Promise<Map<string, number>> => {
  const text = await (await fetch(`${ops}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]))
}

/** The sum of the series of a metric that have these labels. */
const sum = (samples: Map<string, number>, name: string, ...labels: string[]): number =>
  [...samples]
    .filter(([key]) => key.startsWith(name) && labels.every((label) => key.includes(label)))
    .reduce((total, [, value]) => total + value, 0)

const watch = ({ url }: TestGateway, path: string) => {
  const stream = openEvents(url + path)
  onTestFinished(() => void stream.socket.destroy())
  return stream
}

describe('the metrics', () => {
  it('count requests, reads, calls, waits, streams, events and exports', async () => {
    const gateway = await start()
    const { url, lemlist, read } = gateway
    const done = lemlist.add({ durationMs: 0 })
    const pending = lemlist.add({ outcome: 'never' })
    await fetch(url + statusPath(done))
    await fetch(url + statusPath(done))
    await fetch(`${url}/nowhere`)
    const stream = watch(gateway, eventsPath(pending))
    await stream.waitFor(isState('pending'))
    const during = await read()
    expect(sum(during, 'gateway_sse_streams')).toBe(1)
    expect(sum(during, 'gateway_connections')).toBeGreaterThan(0)
    expect(sum(during, 'gateway_tracked_exports', 'kind="watched"', 'account="default"')).toBe(1)
    lemlist.finish(pending.exportId)
    await stream.waitFor(({ event }) => event === 'end')
    const after = await read()
    const status = 'route="/campaigns/:campaignId/export/:exportId/status"'
    expect(sum(after, 'gateway_http_requests_total', status, 'status="200"')).toBe(2)
    expect(sum(after, 'gateway_http_requests_total', 'route="unknown"', 'status="404"')).toBe(1)
    expect(sum(after, 'gateway_http_request_duration_seconds_count', status)).toBe(2)
    expect(sum(after, 'gateway_status_reads_total', 'result="miss"')).toBe(1)
    expect(sum(after, 'gateway_status_reads_total', 'result="hit"')).toBe(1)
    const calls = lemlist.calls.length
    expect(sum(after, 'gateway_upstream_requests_total', 'outcome="ok"')).toBe(calls)
    expect(sum(after, 'gateway_upstream_request_duration_seconds_count')).toBe(calls)
    expect(sum(after, 'gateway_budget_wait_seconds_count', 'account="default"')).toBe(calls)
    expect(sum(after, 'gateway_poll_lag_seconds_count')).toBeGreaterThan(0)
    expect(sum(after, 'gateway_detection_delay_seconds_count')).toBe(1)
    for (const event of ['status', 'end']) {
      expect(sum(after, 'gateway_sse_events_total', `event="${event}"`)).toBeGreaterThan(0)
    }
    expect(sum(after, 'gateway_waiting_calls')).toBe(0)
    expect(sum(after, 'gateway_store_degraded')).toBe(0)
    expect(sum(after, 'gateway_log_lines_lost_total')).toBe(0)
    expect(sum(after, 'gateway_build_info')).toBe(1)
  })

  it.each([
    ['unauthorized', { status: 401, body: '{}' }],
    ['not-found', { status: 404, body: '{}' }],
    ['rate-limited', { status: 429, body: '{}' }],
    ['rejected', { status: 418, body: '{}' }],
    ['server-error', { status: 503, body: '{}' }],
  ])('count a call that was %s', async (outcome, answer) => {
    const { url, lemlist, read } = await start()
    const ref = lemlist.add()
    lemlist.script({}, answer)
    await fetch(url + statusPath(ref))
    expect(sum(await read(), 'gateway_upstream_requests_total', `outcome="${outcome}"`)).toBe(1)
  })

  it('count what lemlist has not documented', async () => {
    const { url, lemlist, read } = await start()
    const ref = lemlist.add()
    lemlist.script({}, { body: '{"ok":true,"status":{}}' })
    await fetch(url + statusPath(ref))
    expect(sum(await read(), 'gateway_upstream_drift_total', 'kind="shape"')).toBe(1)
  })

  it('count streams that the gateway cuts', async () => {
    const gateway = await start({ SSE_MAX_AGE_MS: '1000' })
    const stream = watch(gateway, eventsPath(gateway.lemlist.add({ outcome: 'never' })))
    await stream.ended
    const cuts = async () => sum(await gateway.read(), 'gateway_sse_cuts_total', 'rotated')
    await expect.poll(cuts).toBe(1)
  })

  it('count what is turned away while there is too much to do', async () => {
    const pressure = { level: 'overloaded', sheds: () => true, close: () => {} } as const
    const gateway = await start({}, { pressure })
    const ref = gateway.lemlist.add()
    expect((await fetch(gateway.url + statusPath(ref))).status).toBe(503)
    await watch(gateway, eventsPath(ref)).ended
    const samples = await gateway.read()
    for (const kind of ['read', 'stream']) {
      expect(sum(samples, 'gateway_shed_total', `kind="${kind}"`)).toBe(1)
    }
  })

  it('count the log lines that were lost', async () => {
    const { read } = await start({}, { lostLines: () => 7 })
    expect(sum(await read(), 'gateway_log_lines_lost_total')).toBe(7)
    expect(sum(await read(), 'gateway_log_lines_lost_total')).toBe(7)
  })

  it('say how many calls wait for their turn', async () => {
    const { url, lemlist, read } = await start({
      ...{ LEMLIST_RATE_LIMIT: '1', LEMLIST_RATE_WINDOW_MS: '60000', LEMLIST_TIMEOUT_MS: '4000' },
    })
    const [first, second] = [lemlist.add(), lemlist.add()]
    await fetch(url + statusPath(first))
    const late = fetch(url + statusPath(second))
    late.catch(() => {})
    await expect.poll(async () => sum(await read(), 'gateway_waiting_calls')).toBeGreaterThan(0)
  })

  it.skipIf(withoutRedis)('say that the store is away, and count what failed', async () => {
    const redis = await startRedis()
    const { url, lemlist, read } = await start({ STORE_URL: redis.url, ...JWT, AUTH: 'none' })
    await redis.kill()
    await fetch(url + statusPath(lemlist.add()))
    const samples = await read()
    expect(sum(samples, 'gateway_store_degraded')).toBe(1)
    expect(sum(samples, 'gateway_store_errors_total', 'operation="redis"')).toBe(1)
  })

  it('have no more series after thousands of ids, paths and methods', async () => {
    const { url, lemlist, read } = await start({ LOG_LEVEL: 'warn' })
    const send = async (from: number) => {
      const paths = Array.from({ length: 300 }, (_, index) => {
        const id = (from + index).toString(36)
        return [
          `/campaigns/cam_${id}/export/axp_${id}/status`,
          `/${id}`,
          `/campaigns/${id}/x?y=${id}`,
        ]
      })
      for (const path of paths.flat()) await (await fetch(url + path)).arrayBuffer()
      await ask(url, rawRequest(`/${from}`, { method: 'PROPFIND' }))
    }
    const known = lemlist.add({ durationMs: 0 })
    await fetch(url + statusPath(known))
    await send(1_000_000)
    const before = [...(await read()).keys()]
    await send(2_000_000)
    const after = [...(await read()).keys()]
    // Each kind of garbage collection has its series from its first run on.
    const isNew = (key: string) => !before.includes(key) && !key.startsWith('nodejs_gc_')
    expect(after.filter(isNew)).toEqual([])
    expect(before.length).toBeGreaterThan(100)
    expect(before.filter((key) => /cam_|axp_/.test(key))).toEqual([])
  })
})

describe('the port of the operators', () => {
  it('serves the metrics and nothing else, and only where it is asked for', async () => {
    const { ops, url } = await start()
    const metrics = await fetch(`${ops}/metrics`)
    expect(metrics.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    expect((await fetch(`${ops}/metrics`, { method: 'HEAD' })).status).toBe(200)
    const post = await fetch(`${ops}/metrics`, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
    expect(await (await fetch(`${ops}/__proto__`)).json()).toMatchObject({ code: 'not-found' })
    expect((await fetch(`${url}/metrics`)).status).toBe(404)
  })

  it('is closed when the gateway stops', async () => {
    const { ops, close } = await start()
    await close()
    await expect(fetch(`${ops}/metrics`)).rejects.toThrow()
  })
})

describe('health on the port of the operators', () => {
  it('says the same as on the port of the callers, and that the gateway stops', async () => {
    const { ops, url, app } = await start({ DRAIN_DELAY_MS: '200' })
    for (const path of ['/health/live', '/health/ready']) {
      const [here, there] = await Promise.all([fetch(ops + path), fetch(url + path)])
      expect([here.status, await here.text()]).toEqual([200, await there.text()])
    }
    const closed = app.close()
    const stopping = await fetch(`${ops}/health/ready`)
    expect([stopping.status, await stopping.json()]).toMatchObject([503, { status: 'stopping' }])
    expect((await fetch(`${ops}/health/live`)).status).toBe(200)
    await closed
  })
})

describe('what is bounded', () => {
  it('is told as the used part of its bound', async () => {
    const gateway = await start({ SSE_MAX_STREAMS: '4' })
    const pending = gateway.lemlist.add({ outcome: 'never' })
    const stream = watch(gateway, eventsPath(pending))
    await stream.waitFor(isState('pending'))
    const samples = await gateway.read()
    const part = (...labels: string[]) => sum(samples, 'gateway_bound_used_ratio', ...labels)
    expect(part('bound="streams"')).toBe(0.25)
    expect(part('bound="followed-exports"', 'account="default"')).toBe(1 / 65_000)
    expect(part('bound="observations"')).toBeGreaterThan(0)
  })

  it.skipIf(withoutRedis)('is all in the table, for each store', async () => {
    const redis = await startRedis()
    const names = new Set<string>()
    for (const store of ['memory:', `sqlite:${join(tempDirectory(), 'g.db')}`, redis.url]) {
      const { read } = await start({ STORE_URL: store, AUTH: 'jwt', ...JWT })
      for (const key of (await read()).keys()) {
        const [, name] = /^gateway_bound_used_ratio\{bound="([^"]+)"/.exec(key) ?? []
        if (name !== undefined) names.add(name)
      }
    }
    const [, table = ''] = /### What is bounded\n([\s\S]*?)\n## /.exec(operations) ?? []
    const rows = [...table.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = '']) => cell)
    const listed = rows.flatMap((cell) => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, one]) => one))
    expect(listed.length).toBeGreaterThan(15)
    expect([...names].sort()).toEqual(listed.sort())
  })
})

describe('docs/operations.md', () => {
  it('lists each metric of the gateway, with its labels, and no other', async () => {
    const { ops } = await start()
    const text = await (await fetch(`${ops}/metrics`)).text()
    const served = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = '']) => name)
    const rows = [...operations.matchAll(/^\| `((?:gateway|process|nodejs)_\w+)` \|/gm)]
    const listed = rows.map(([, name = '']) => name)
    expect(listed.filter((name) => !served.includes(name))).toEqual([])
    const own = served.filter((name) => name.startsWith('gateway_'))
    expect(own.length).toBeGreaterThan(15)
    expect(own.filter((name) => !listed.includes(name))).toEqual([])
  })
})
