import { describe, expect, it } from 'vitest'
import { CANARY, read, spiked, startIn } from '../../helpers/faults.ts'
import type { TestGateway } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'

const start = ({ url }: TestGateway) =>
  fetch(`${url}/campaigns/${REF.campaignId}/export/start`, { method: 'POST' })

/** Bodies that lemlist has not documented. The gateway mirrors them all the same. */

const inStatus = (body: string, json: string) =>
  body.replace('"progress":50', `${json},"progress":50`)

const ODDITIES: [string, (body: () => string) => string][] = [
  ['a field nobody knows', (body) => inStatus(body(), '"colour":{"of":["magic",null]}')],
  ['a number as a string', (body) => body().replace('"progress":50', '"progress":"50"')],
  ['a number beyond a double', (body) => inStatus(body(), '"size":1e400')],
  ['a whole number beyond 2^53', (body) => inStatus(body(), '"size":9007199254740993')],
  ['a date as a number', (body) => inStatus(body(), '"endedAt":1761551597286')],
  ['a date that is none', (body) => inStatus(body(), '"endedAt":"yesterday"')],
  ['a key twice', (body) => inStatus(body(), '"progress":1,"progress":2')],
  [
    'a state twice, the last of which counts',
    (body) => `{"status":{"status":"queued"},${body().slice(1)}`,
  ],
  [
    'keys that name a prototype',
    (body) => inStatus(body(), '"__proto__":{"status":"x"},"constructor":1'),
  ],
  ['no ok', (body) => body().replace('"ok":true,', '')],
  ['ids that are null', (body) => inStatus(body(), `"_id":null`)],
  ['no ids at all', (body) => body().replace(/"(id|campaignId)":"[^"]*",/g, '')],
  ['white space around', (body) => `\r\n\t ${body()} \n`],
  ['half a surrogate pair, escaped', (body) => inStatus(body(), '"name":"\\ud800"')],
  ['exactly 16 KiB', (body) => body().padEnd(16 * 1024)],
]

describe.each([
  ['pending', pendingBody, 'no-store'],
  ['done', doneBody, 'private, max-age=3600'],
] as const)('a %s export with', (_, body, cacheControl) => {
  it.each(ODDITIES)('%s is mirrored', async (_, spoil) => {
    const gateway = await startIn('unknown')
    const bytes = spoil(body)
    expect(bytes).not.toBe(body())
    gateway.lemlist.script({}, { body: bytes })
    const answer = await read(gateway)
    expect([answer.status, answer.text]).toEqual([200, bytes])
    expect(answer.headers.get('cache-control')).toBe(cacheControl)
  })
})

describe('a final status', () => {
  const final: [string, string][] = [
    ['done', doneBody()],
    ['error', statusBody('error', { reason: 'disk full' })],
    ['done without a url', statusBody('done')],
    ['done with a url elsewhere', doneBody({ url: 'https://evil.example/x.csv' })],
    ['done with an end in the future', statusBody('done', { endedAt: '2999-01-01T00:00:00.000Z' })],
    ['done with an end in 1970', statusBody('done', { endedAt: '1970-01-01T00:00:00.000Z' })],
    // Regression: Date.parse finds a year in it, so the export counted as ended in 2023.
    ['done with an end that is no date', statusBody('done', { endedAt: 'export 2023' })],
  ]
  it.each(final)('%s is asked for once and stays, whatever lemlist says later', async (_, body) => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({ times: 1 }, { body })
    gateway.lemlist.script({}, { body: pendingBody() })
    for (let round = 0; round < 3; round += 1) {
      const { text, headers } = await read(gateway)
      expect(text).toBe(body)
      expect(headers.get('cache-control')).toBe('private, max-age=3600')
    }
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('replaces a pending one and is kept', async () => {
    const gateway = await startIn('pending')
    gateway.lemlist.script({ times: 1 }, { body: doneBody() })
    expect((await read(gateway)).text).toContain('"status":"done"')
    expect((await read(gateway)).headers.get('cache-status')).toMatch(/; hit; ttl=/)
    expect(gateway.lemlist.calls).toHaveLength(1)
  })

  it('that is past its end of life when lemlist gives it is passed on and repeated for a minute', async () => {
    const gateway = await startIn('unknown')
    const body = doneBody({ endedAt: '2025-10-27T07:53:17.286Z' })
    gateway.lemlist.script({}, { body })
    const first = await read(gateway)
    expect([first.status, first.text]).toEqual([200, body])
    expect(first.headers.get('cache-control')).toMatch(/^private, max-age=(59|60)$/)
    expect((await read(gateway)).headers.get('cache-status')).toMatch(/; hit; ttl=(5\d|60)$/)
    expect(gateway.lemlist.calls).toHaveLength(1)
    expect(gateway.logs()).toContain('"kind":"past-life"')
  })
})

describe('a pending status', () => {
  it('is never served from a cache, and its progress may go backwards', async () => {
    const gateway = await startIn('unknown')
    for (const progress of [10, 50, 20]) {
      gateway.lemlist.script({ times: 1 }, { body: pendingBody({ progress }) })
      expect((await read(gateway)).text).toBe(pendingBody({ progress }))
    }
    expect(gateway.lemlist.calls).toHaveLength(3)
  })

  it('is pending whatever its progressType says', async () => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({}, { body: pendingBody({ progressType: 'done', progressIndex: 6 }) })
    await read(gateway)
    expect((await read(gateway)).headers.get('cache-control')).toBe('no-store')
    expect(gateway.lemlist.calls).toHaveLength(2)
  })
})

describe('a state that lemlist has not documented', () => {
  it.each(['queued', 'Done', 'cancelled', 'PENDING', '', '__proto__'])(
    '(%j) is mirrored, repeated for a minute and told to the operator',
    async (word) => {
      const gateway = await startIn('unknown')
      gateway.lemlist.script({}, { body: statusBody(word) })
      const first = await read(gateway)
      expect([first.status, first.text]).toEqual([200, statusBody(word)])
      expect(first.headers.get('cache-status')).toBe('lemlist-gateway; fwd=miss; stored')
      expect(first.headers.get('cache-control')).toMatch(/^private, max-age=(59|60)$/)
      expect(first.headers.get('retry-after')).toBeNull()
      expect((await read(gateway)).headers.get('cache-status')).toMatch(/; hit; ttl=(5\d|60)$/)
      expect(gateway.lemlist.calls).toHaveLength(1)
      expect(gateway.logs()).toContain('"kind":"unknown-state"')
    },
  )
})

describe('an answer of a shape that lemlist has not documented', () => {
  // Regression: docs/operations.md promised the line, and the gateway never wrote it for a shape.
  it.each([
    ['a status without a word', read, '{"ok":true,"status":{}}'],
    ['a start without an id', start, '{"ok":true}'],
  ])('(%s) is told to the operator, and is a 502', async (_, ask, body) => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({}, { body })
    expect((await ask(gateway)).status).toBe(502)
    expect(gateway.logs()).toContain('"kind":"shape"')
  })
})

describe('the headers of lemlist', () => {
  it('are not passed on: cookies, limits, server, Retry-After on a 200', async () => {
    const gateway = await startIn('unknown')
    const theirs = {
      'X-RateLimit-Limit': CANARY,
      'X-RateLimit-Remaining': '0',
      'Retry-After': '55',
      'CF-Ray': CANARY,
      ETag: `"${CANARY}"`,
      Link: `<${CANARY}>; rel="x"`,
      'Content-Type': `application/json; profile="${CANARY}"`,
    }
    gateway.lemlist.script({}, spiked({ body: pendingBody(), headers: theirs }))
    const answer = await read(gateway)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('retry-after')).toBe('5')
    expect([...answer.headers.keys()].join()).not.toMatch(/ratelimit|cf-|cookie|server|canary/)
    await read(gateway)
    expect(gateway.lemlist.calls).toHaveLength(2)
  })
})

describe('a call to lemlist', () => {
  it('has the documented path, and the key as the password of an empty user name', async () => {
    const gateway = await startIn('unknown')
    gateway.lemlist.script({}, { body: pendingBody() })
    await read(gateway)
    expect(gateway.lemlist.calls).toMatchObject([
      {
        method: 'GET',
        path: `/api/campaigns/${REF.campaignId}/export/${REF.exportId}/status`,
        authorization: `Basic ${Buffer.from(':test-key').toString('base64')}`,
      },
    ])
  })
})
