import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startGateway, statusPath, type TestGateway } from '../../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../../helpers/pace.ts'
import { CAMPAIGN, isStart, startPath } from '../../helpers/starts.ts'
import { doneBody, pendingBody } from '../../helpers/status-bodies.ts'
import { tempDirectory } from '../../store/fixtures.ts'

interface Item {
  readonly exportId: string
  readonly state: string
  readonly firstSeenAt: string
  readonly observedAt: string
  readonly fileUntil?: string
  readonly body: unknown
}

const listPath = (query = '', campaignId: string = CAMPAIGN): string =>
  `/campaigns/${campaignId}/exports${query}`

/** Nothing is looked at but by a caller's read. */
const SLOW = {
  POLL_FIRST_MS: '60000',
  POLL_INTERVAL_MS: '60000',
  POLL_MAX_INTERVAL_MS: '60000',
}

const setUp = async (env: Record<string, string> = {}, durationMs = 3_600_000) => {
  const gateway = await startGateway({
    env: { ...FAST, POLL_IDLE_INTERVAL_MS: '60000', ...env },
    lemlist: { rateLimit: UNLIMITED, started: { durationMs } },
  })
  gateway.lemlist.addCampaign(CAMPAIGN)
  const ask = async (query = '', init: RequestInit = {}, campaignId: string = CAMPAIGN) => {
    const answer = await fetch(gateway.url + listPath(query, campaignId), init)
    return { answer, text: await answer.text() }
  }
  const items = async (query = '', campaignId: string = CAMPAIGN): Promise<Item[]> =>
    JSON.parse((await ask(query, {}, campaignId)).text).exports
  return { gateway, ask, items }
}

const start = async ({ url }: Pick<TestGateway, 'url'>): Promise<string> => {
  const answer = await fetch(url + startPath(), { method: 'POST' })
  expect(answer.status).toBe(201)
  const { id } = (await answer.json()) as { id: string }
  return id
}
const read = ({ url }: Pick<TestGateway, 'url'>, exportId: string): Promise<Response> =>
  fetch(url + statusPath({ campaignId: CAMPAIGN, exportId }))
const refOf = (exportId: string) => ({ campaignId: CAMPAIGN, exportId })
const idsOf = (items: readonly Item[]): string[] => items.map(({ exportId }) => exportId)

describe('the exports of a campaign', () => {
  it('are none for a campaign that nobody has asked about, without a call to lemlist', async () => {
    const { gateway, ask } = await setUp()
    const { answer, text } = await ask('', {}, 'cam_Nobody')
    expect([answer.status, text]).toEqual([200, '{"campaignId":"cam_Nobody","exports":[]}'])
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('are listed from their start on, with null until lemlist has answered', async () => {
    const { gateway, items } = await setUp(SLOW)
    const before = Date.now()
    const id = await start(gateway)
    const [one, ...more] = await items()
    expect(more).toEqual([])
    expect(one).toMatchObject({ exportId: id, state: 'pending', body: null })
    expect(one).not.toHaveProperty('fileUntil')
    expect(Date.parse(one?.firstSeenAt ?? '')).toBeGreaterThanOrEqual(before)
    expect(one?.observedAt).toBe(one?.firstSeenAt)
    expect(gateway.lemlist.calls.every(isStart)).toBe(true)
  })

  it("have lemlist's JSON byte for byte, the word, and the end of a file that is done", async () => {
    const { gateway, ask, items } = await setUp()
    const odd = pendingBody({ big: 1 }, refOf('axp_B')).replace('"big":1', '"big": 1e400, "ü":1')
    const done = doneBody({ endedAt: new Date().toISOString() }, refOf('axp_A'))
    gateway.lemlist.script({ exportId: 'axp_A' }, { body: done })
    gateway.lemlist.script({ exportId: 'axp_B' }, { body: odd })
    await read(gateway, 'axp_A')
    await read(gateway, 'axp_B')
    gateway.lemlist.clearCalls()
    const { text } = await ask()
    expect(text).toContain(`"body":${odd}}`)
    expect(text).toContain(`"body":${done}}`)
    expect(gateway.lemlist.calls).toEqual([])
    gateway.lemlist.script({ exportId: 'axp_B' }, { body: pendingBody({}, refOf('axp_B')) })
    await read(gateway, 'axp_B')
    const [pending, ended] = await items()
    expect(pending).toMatchObject({ exportId: 'axp_B', state: 'pending' })
    expect(pending).not.toHaveProperty('fileUntil')
    expect(ended).toMatchObject({ exportId: 'axp_A', state: 'done', body: JSON.parse(done) })
    const lifeMs = Date.parse(ended?.fileUntil ?? '') - Date.now()
    expect(Math.abs(lifeMs - 24 * 3_600_000)).toBeLessThan(60_000)
  })

  it('were first seen when they were started, also when they are over', async () => {
    const { gateway, items } = await setUp(SLOW, 0)
    const [first, second] = [await start(gateway), await start(gateway)]
    const before = await items()
    expect(idsOf(before)).toEqual([second, first])
    await read(gateway, first)
    const after = await items()
    expect(after.map(({ state }) => state)).toEqual(['pending', 'done'])
    expect(after.map(({ firstSeenAt }) => firstSeenAt)).toEqual(
      before.map(({ firstSeenAt }) => firstSeenAt),
    )
  })

  it('are 20, or as many as the caller wants, those first seen last first', async () => {
    const { gateway, items } = await setUp({}, 0)
    const ids = Array.from({ length: 24 }, (_, n) => `axp_N${n}`)
    for (const exportId of ids) {
      gateway.lemlist.add({ ...refOf(exportId), durationMs: 0 })
      await read(gateway, exportId)
    }
    const newest = (await items('?limit=100')).map(({ exportId }) => exportId)
    expect(newest.toSorted()).toEqual(ids.toSorted())
    const times = (await items('?limit=100')).map(({ firstSeenAt }) => firstSeenAt)
    expect(times).toEqual(times.toSorted().reverse())
    expect(idsOf(await items())).toEqual(newest.slice(0, 20))
    expect(idsOf(await items('?limit=1'))).toEqual(newest.slice(0, 1))
  })

  it('name no export that lemlist does not know, and none that is only watched', async () => {
    const { gateway, items } = await setUp()
    expect((await read(gateway, 'axp_Nobody')).status).toBe(404)
    const watching = new AbortController()
    const path = statusPath(refOf('axp_Made')).replace(/status$/, 'events')
    gateway.lemlist.script({ exportId: 'axp_Made' }, { status: 503, body: 'no' })
    const stream = await fetch(gateway.url + path, { signal: watching.signal })
    expect(stream.status).toBe(200)
    expect(await items()).toEqual([])
    watching.abort()
  })

  it('are timed out when lemlist does not know them any more, with null', async () => {
    const { gateway, items } = await setUp({ POLL_IDLE_INTERVAL_MS: '20' })
    gateway.lemlist.script({ exportId: 'axp_A' }, { body: pendingBody({}, refOf('axp_A')) })
    await read(gateway, 'axp_A')
    gateway.lemlist.script({ exportId: 'axp_A' }, { status: 404, body: '{"message":"not found"}' })
    await expect.poll(async () => (await items())[0]?.state, { timeout: 10_000 }).toBe('timed-out')
    expect((await items())[0]).toMatchObject({ exportId: 'axp_A', body: null })
  })

  it("hold the gateway's link to the file where lemlist's must not get out", async () => {
    const { gateway, ask } = await setUp({
      ...{ FILE_URLS: 'gateway', PUBLIC_URL: 'https://exports.example.com' },
    })
    const body = doneBody({ endedAt: new Date().toISOString() }, refOf('axp_A'))
    gateway.lemlist.script({ exportId: 'axp_A' }, { body })
    await read(gateway, 'axp_A')
    const { text } = await ask()
    const link = `https://exports.example.com/campaigns/${CAMPAIGN}/export/axp_A/file`
    expect(JSON.parse(text).exports[0].body.status.url).toBe(link)
    expect(text).not.toContain('api.lemlist.com')
  })

  it('are there after a restart with SQLite', async () => {
    const STORE_URL = `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`
    const env = { ...SLOW, STORE_URL }
    const first = await setUp(env, 0)
    const [done, pending] = [await start(first.gateway), await start(first.gateway)]
    await read(first.gateway, done)
    const before = await first.items()
    await first.gateway.close()
    // lemlist is asked once more about what was pending, and does not know it.
    const second = await setUp(env)
    const after = await second.items()
    expect(idsOf(after)).toEqual([pending, done])
    expect(after.map(({ firstSeenAt }) => firstSeenAt)).toEqual(
      before.map(({ firstSeenAt }) => firstSeenAt),
    )
  })
})

describe('the answer with the exports of a campaign', () => {
  it('has an ETag of its content, answers 304, and names its stream', async () => {
    const { gateway, ask } = await setUp(SLOW)
    await start(gateway)
    const { answer, text } = await ask()
    const hash = createHash('sha256').update(text).digest('base64url').slice(0, 22)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      ...{ etag: `"${hash}"`, 'cache-control': 'no-store', 'content-type': 'application/json' },
      link: '<events>; rel="monitor"; type="text/event-stream"',
      'x-content-type-options': 'nosniff',
    })
    const again = await ask('', { headers: { 'If-None-Match': `W/"other", "${hash}"` } })
    expect([again.answer.status, again.text]).toEqual([304, ''])
    // Regression: this said that the list is empty (RFC 9110, 8.6).
    const head = await ask('', { method: 'HEAD', headers: { 'If-None-Match': '*' } })
    expect([head.answer.status, head.answer.headers.get('content-length')]).toEqual([304, null])
    expect(head.answer.headers.get('etag')).toBe(`"${hash}"`)
    await start(gateway)
    const changed = await ask('', { headers: { 'If-None-Match': `"${hash}"` } })
    expect(changed.answer.status).toBe(200)
  })

  it('has a HEAD with the same headers', async () => {
    const { ask } = await setUp()
    const [get, head] = [await ask(), await ask('', { method: 'HEAD' })]
    expect([head.answer.status, head.text]).toEqual([200, ''])
    expect(head.answer.headers.get('etag')).toBe(get.answer.headers.get('etag'))
  })

  it.each(['0', '101', '-1', '1.5', 'all', '', '5&limit=6', '9'.repeat(400)])(
    'is 400 for a limit of %s, without a call to lemlist',
    async (limit) => {
      const { gateway, ask } = await setUp()
      const { answer, text } = await ask(`?limit=${limit}`)
      expect([answer.status, JSON.parse(text).code]).toEqual([400, 'invalid-request'])
      expect(gateway.lemlist.calls).toEqual([])
    },
  )

  it.each(['cam_', 'axp_A', 'cam_A%2fB', `cam_${'a'.repeat(65)}`])(
    'is 400 `invalid-id` for the campaign %s',
    async (campaignId) => {
      const { ask } = await setUp()
      const { answer, text } = await ask('', {}, campaignId)
      expect([answer.status, JSON.parse(text).code]).toEqual([400, 'invalid-id'])
    },
  )

  it('has no other method', async () => {
    const { ask } = await setUp()
    const { answer } = await ask('', { method: 'POST' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })
})
