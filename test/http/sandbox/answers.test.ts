import { afterEach, describe, expect, it } from 'vitest'
import { createLemlist, type Lemlist, type LemlistOptions } from '../../../src/sandbox/lemlist.ts'
import {
  type DOCUMENTED,
  DONE_EXAMPLE,
  isDocumented,
  PENDING_EXAMPLE,
  rateHeaders,
  START_EXAMPLE,
} from '../../helpers/documented-answers.ts'

const CAMPAIGN = 'cam_SandboxCampaign01'
const EXPORT = 'axp_SandboxTest000001'
const STATUS = `/campaigns/${CAMPAIGN}/export/${EXPORT}/status`
const START = `/campaigns/${CAMPAIGN}/export/start`

const basic = (key: string) => `Basic ${Buffer.from(`:${key}`).toString('base64')}`

let lemlist: Lemlist | undefined
afterEach(() => lemlist?.close())

const begin = async (options: LemlistOptions = {}) => {
  const opened = createLemlist({
    exports: [{ campaignId: CAMPAIGN, exportId: EXPORT, outcome: 'never' }],
    ...options,
  })
  lemlist = opened
  const base = await opened.listen()
  const ask = async (path: string, authorization = basic('sandbox-key'), method = 'GET') => {
    const headers = authorization === '' ? {} : { authorization }
    const answer = await fetch(base + path, { method, headers })
    const contentType = answer.headers.get('content-type')
    const { status } = answer
    return { status, contentType, headers: answer.headers, body: await answer.text() }
  }
  return { lemlist: opened, base, ask }
}

const keysOf = (body: string): string[] => {
  const keys: string[] = []
  JSON.parse(body, function note(key, value) {
    if (key !== '') keys.push(key)
    return value
  })
  return keys
}

describe('the schema of the documented answers', () => {
  const done = { status: 200, contentType: 'application/json', body: DONE_EXAMPLE }

  it.each([
    ['done', 'status', DONE_EXAMPLE],
    ['pending', 'status', PENDING_EXAMPLE],
    ['started', 'start', START_EXAMPLE],
  ] as const)('accepts the documented example of %s', (_, operation, body) => {
    expect(isDocumented(operation, { ...done, body })).toBe(true)
  })

  it.each([
    [
      'a done answer without its url',
      { ...done, body: DONE_EXAMPLE.replace(/,"url":"[^"]+"/, '') },
    ],
    [
      'a field nobody documented',
      { ...done, body: DONE_EXAMPLE.replace('{"_id"', '{"x":1,"_id"') },
    ],
    ['a state nobody documented', { ...done, body: DONE_EXAMPLE.replace('"done"', '"ready"') }],
    ['another content type', { ...done, contentType: 'text/plain' }],
    ['another status', { ...done, status: 201 }],
    ['a refusal with a content type', { ...done, status: 400, body: 'no api key provided' }],
  ])('refuses %s', (_, answer) => {
    expect(isDocumented('status', answer)).toBe(false)
  })
})

describe('the emulator answers as lemlist documents', () => {
  const cases: [string, keyof typeof DOCUMENTED, number, string, string?, string?][] = [
    ['a pending status', 'status', 200, STATUS],
    ['a start', 'start', 200, START],
    ['a status of an unknown export', 'status', 404, STATUS.replace(EXPORT, 'axp_Unknown')],
    ['a status of an unknown campaign', 'status', 404, STATUS.replace(CAMPAIGN, 'cam_Unknown')],
    ['a start of an unknown campaign', 'start', 404, START.replace(CAMPAIGN, 'cam_Unknown')],
    ['a status of another team', 'status', 400, STATUS, basic('other-key')],
    ['a start of another team', 'start', 400, START, basic('other-key')],
    ['no key', 'status', 400, STATUS, ''],
    ['an empty key', 'status', 400, STATUS, basic('')],
    ['a bearer token', 'status', 400, STATUS, basic('sandbox-key').replace('Basic', 'Bearer')],
    ['a key without the colon', 'status', 400, STATUS, `Basic ${btoa('sandbox-key')}`],
    ['a wrong key', 'status', 401, STATUS, basic('wrong')],
    ['a blocked key', 'status', 403, STATUS, basic('blocked-key')],
    ['a key of nobody', 'status', 404, STATUS, basic('lost-key')],
    ['a HEAD', 'status', 405, STATUS, basic('sandbox-key'), 'HEAD'],
    ['a POST', 'start', 405, START, basic('sandbox-key'), 'POST'],
  ]

  it.each(cases)('to %s', async (_, operation, status, path, authorization, method) => {
    const { ask } = await begin({
      apiKeys: ['sandbox-key', 'other-key'],
      blockedKeys: ['blocked-key'],
      userlessKeys: ['lost-key'],
    })
    const answer = await ask(path, authorization, method)
    expect(answer.status).toBe(status)
    const body = method === 'HEAD' ? 'Bad method' : answer.body
    expect({ ...answer, documented: isDocumented(operation, { ...answer, body }) }).toMatchObject({
      documented: true,
    })
    expect(rateHeaders.safeParse(Object.fromEntries(answer.headers)).error).toBeUndefined()
  })

  it('to a key in base64url as to a wrong key, since base64url differs from base64', async () => {
    const key = '>>>???'
    const { ask } = await begin({ apiKeys: [key] })
    const url = `Basic ${Buffer.from(`:${key}`).toString('base64url')}`
    expect(url).not.toBe(basic(key))
    expect([(await ask(STATUS, basic(key))).status, (await ask(STATUS, url)).status]).toEqual([
      200, 401,
    ])
  })

  it.each(['done', 'error'] as const)('to a status that is %s', async (state) => {
    const { lemlist, ask } = await begin()
    lemlist.finish(EXPORT, state)
    const answer = await ask(STATUS)
    expect(answer.body).toContain(`"status":"${state}"`)
    expect(isDocumented('status', answer)).toBe(true)
  })

  it('in the key order of the documentation', async () => {
    const { lemlist, ask } = await begin()
    expect(keysOf((await ask(START)).body)).toEqual(keysOf(START_EXAMPLE))
    expect(keysOf((await ask(STATUS)).body)).toEqual(keysOf(PENDING_EXAMPLE))
    lemlist.finish(EXPORT)
    expect(keysOf((await ask(STATUS)).body)).toEqual(keysOf(DONE_EXAMPLE))
  })

  it.each(['/cauldron-nope', '/campaigns/cam_X/export', '/campaigns/a/b/export/c/status'])(
    'with its single-page app to the unknown path %s, even with a wrong key',
    async (path) => {
      const { ask } = await begin()
      const answer = await ask(path, basic('wrong'))
      expect(answer).toMatchObject({ status: 200, contentType: 'text/html; charset=utf-8' })
      expect(answer.body).toMatch(/^<!DOCTYPE html>/)
      expect(rateHeaders.safeParse(Object.fromEntries(answer.headers)).success).toBe(true)
    },
  )

  it('with a new export to every start, in the form of lemlist’s own ids', async () => {
    const { ask } = await begin()
    const ids = [await ask(START), await ask(START)].map(({ body }) => JSON.parse(body).id)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) {
      expect(id).toMatch(/^axp_[23456789A-HJ-NP-TW-Za-km-z]{17}$/)
      const { body } = await ask(STATUS.replace(EXPORT, id))
      expect(JSON.parse(body)).toMatchObject({ ok: true, status: { id, status: 'pending' } })
    }
  })
})

describe('the rate limit', () => {
  const used = async (count: number) => {
    let at = Date.UTC(2026, 10, 1)
    const sandbox = await begin({ apiKeys: ['sandbox-key', 'other-key'], now: () => at })
    for (let call = 0; call < count; call += 1) await sandbox.ask(STATUS)
    return { ...sandbox, pass: (ms: number) => (at += ms) }
  }

  it('refuses the 21st call of a key in two seconds', async () => {
    const { ask } = await used(19)
    const last = await ask(STATUS)
    expect([last.status, last.headers.get('x-ratelimit-remaining')]).toEqual([200, '0'])
    expect(await ask(STATUS)).toMatchObject({
      status: 429,
      contentType: 'text/plain',
      body: 'Too Many Requests',
    })
  })

  it('counts from the first call of a window, not over a sliding one', async () => {
    const { ask, pass } = await used(1)
    pass(1900)
    for (let call = 0; call < 19; call += 1) expect((await ask(STATUS)).status).toBe(200)
    const refused = await ask(STATUS)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '0.1'])
    pass(100)
    expect((await ask(STATUS)).headers.get('x-ratelimit-remaining')).toBe('19')
  })

  it('counts each key by itself, also a wrong one, and no calls without a key', async () => {
    const { ask } = await used(20)
    expect((await ask(STATUS)).status).toBe(429)
    expect((await ask(STATUS, basic('other-key'))).status).toBe(400)
    const wrong = await ask(STATUS, basic('wrong'))
    expect([wrong.status, wrong.headers.get('x-ratelimit-remaining')]).toEqual([401, '19'])
    const none = await ask(STATUS, '')
    expect([none.status, none.headers.get('x-ratelimit-remaining')]).toEqual([400, '20'])
  })

  it('says when the window ends in seconds and as a date', async () => {
    const { ask, pass } = await used(1)
    pass(500)
    const { headers } = await ask(STATUS)
    expect(headers.get('retry-after')).toBe('1.5')
    expect(Date.parse(headers.get('x-ratelimit-reset') ?? '')).toBe(Date.UTC(2026, 10, 1, 0, 0, 2))
  })
})
