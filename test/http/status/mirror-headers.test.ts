import { describe, expect, it } from 'vitest'
import { BOUNDLESS, expectStale, read } from '../../helpers/faults.ts'
import { startGateway, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

const start = async (body: string) => {
  const gateway = await startGateway({ env: BOUNDLESS })
  gateway.lemlist.script({}, { body })
  const get = (headers: Record<string, string> = {}) =>
    fetch(gateway.url + statusPath(REF), { headers })
  return { ...gateway, get }
}
const monitor = '<events>; rel="monitor"; type="text/event-stream"'

describe('the headers of a pending status', () => {
  it('say that the answer must not be kept and when to come back', async () => {
    const { headers } = await (await start(pendingBody())).get()
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'cache-status': 'lemlist-gateway; fwd=miss; fwd-status=200',
      'retry-after': '5',
      age: '0',
      link: monitor,
      'content-type': expect.stringMatching(/^application\/json/),
      'x-content-type-options': 'nosniff',
      etag: expect.stringMatching(/^"[\w-]+"$/),
    })
  })
})

describe('the headers of a final status', () => {
  it('say on the first answer that it was stored, and where the file is', async () => {
    const { headers } = await (await start(doneBody())).get()
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'private, max-age=3600',
      'cache-status': 'lemlist-gateway; fwd=miss; stored',
      age: '0',
      link: `${monitor}, <file>; rel="enclosure"; type="text/csv"`,
    })
    expect(headers.get('retry-after')).toBeNull()
  })

  it('say on the next one that it was kept, and for how long', async () => {
    const { get } = await start(doneBody())
    await get()
    const { headers } = await get()
    const [, ttl] =
      /^lemlist-gateway; hit; ttl=(\d+)$/.exec(headers.get('cache-status') ?? '') ?? []
    expect(Number(ttl)).toBeGreaterThan(86_300)
    expect(Number(ttl)).toBeLessThan(86_400)
    expect(headers.get('age')).toMatch(/^\d$/)
  })

  it('let caches keep it no longer than it lives', async () => {
    const endedAt = new Date(Date.now() - 86_400_000 + 60_000).toISOString()
    const { headers } = await (await start(doneBody({ endedAt }))).get()
    expect(headers.get('cache-control')).toMatch(/^private, max-age=(5\d|60)$/)
  })

  it('offer no file of an export that failed', async () => {
    const { headers } = await (await start(statusBody('error'))).get()
    expect(headers.get('link')).toBe(monitor)
  })
})

describe('Cache-Status', () => {
  it('tells when an old observation is shown because lemlist is in trouble', async () => {
    const gateway = await start(pendingBody())
    await gateway.get()
    gateway.lemlist.script({}, { status: 500 })
    expectStale(await read(gateway))
  })
})

describe('ETag and If-None-Match', () => {
  it.each([
    ['the tag', (tag: string) => tag],
    ['the tag, weak', (tag: string) => `W/${tag}`],
    ['a list', (tag: string) => `"a", W/"b", ${tag}`],
    ['anything', () => '*'],
  ])('answer 304 without a body to %s', async (_, header) => {
    const { get } = await start(doneBody())
    const first = await get()
    const etag = first.headers.get('etag') ?? ''
    const answer = await get({ 'If-None-Match': header(etag) })
    expect([answer.status, await answer.text()]).toEqual([304, ''])
    expect(answer.headers.get('etag')).toBe(etag)
    expect(answer.headers.get('cache-control')).toBe(first.headers.get('cache-control'))
    expect(answer.headers.get('link')).toBe(first.headers.get('link'))
    expect(answer.headers.get('cache-status')).toMatch(/; hit; /)
  })

  it('answer 304 to a pending status that has not changed, after asking lemlist', async () => {
    const { get, lemlist } = await start(pendingBody())
    const etag = (await get()).headers.get('etag') ?? ''
    const answer = await get({ 'If-None-Match': etag })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([304, '5'])
    lemlist.script({}, { body: pendingBody({ progress: 51 }) })
    expect((await get({ 'If-None-Match': etag })).status).toBe(200)
    expect(lemlist.calls).toHaveLength(3)
  })

  it('answer 200 to another tag', async () => {
    const { get } = await start(doneBody())
    expect((await get({ 'If-None-Match': '"another", W/"third"' })).status).toBe(200)
  })
})

describe('X-Request-Id', () => {
  it.each(['abc-1', 'a'.repeat(64)])('is the caller’s own when it is sane: %s', async (id) => {
    const { get, logs } = await start(pendingBody())
    expect((await get({ 'X-Request-Id': id })).headers.get('x-request-id')).toBe(id)
    await expect.poll(logs).toContain(`"requestId":"${id}"`)
  })

  it.each(['a'.repeat(65), 'a b', '<script>', '"', 'a,b'])(
    'is a new one in place of %s',
    async (id) => {
      const { get } = await start(pendingBody())
      const answered = (await get({ 'X-Request-Id': id })).headers.get('x-request-id')
      expect(answered).toMatch(/^[0-9a-f-]{36}$/)
    },
  )
})
