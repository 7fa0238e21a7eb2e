import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { filePath } from '../helpers/downloads.ts'
import { startForeignSite } from '../helpers/foreign-site.ts'
import { eventsPath, startGateway, statusPath, type TestGateway } from '../helpers/gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { CAMPAIGN, isStart, startPath } from '../helpers/starts.ts'

/** Real pages of another origin. `test/http/cross-origin.test.ts` has every kind of answer. */

const obstacle = browserObstacle()
const DONE = { campaignId: CAMPAIGN, exportId: 'axp_Done00000000001' }

const startGatewayFor = async (origins: string): Promise<TestGateway> => {
  const gateway = await startGateway({
    env: { ...FAST, ...(origins !== '' && { CORS_ORIGINS: origins }) },
    lemlist: { rateLimit: UNLIMITED, started: { durationMs: 3_600_000 } },
  })
  gateway.lemlist.addCampaign(CAMPAIGN)
  gateway.lemlist.add({ ...DONE, durationMs: 0, fileBytes: 626 })
  return gateway
}

/** What a page reads of an answer. `blocked`: its browser does not show it one. */
type Seen = 'blocked' | { status: number; body: string; headers: Record<string, string> }

/** The script is a text, because it runs in a page, which has other globals than the tests. */
const fetchIn = (page: Page, url: string, init: RequestInit = {}): Promise<Seen> =>
  page.evaluate(`fetch(${JSON.stringify(url)}, ${JSON.stringify({ cache: 'no-store', ...init })})
    .then(async (answer) => ({
      status: answer.status, body: await answer.text(), headers: Object.fromEntries(answer.headers),
    }), () => 'blocked')`)

/** Names the events of an EventSource up to its end, or `error` when the browser gives up. */
const watchIn = (page: Page, url: string): Promise<string[]> =>
  page.evaluate(`new Promise((resolve) => {
    const told = [], source = new EventSource(${JSON.stringify(url)})
    for (const name of ['status', 'problem', 'gone', 'end', 'error']) {
      source.addEventListener(name, () => {
        told.push(name)
        if (name !== 'end' && source.readyState !== EventSource.CLOSED) return
        source.close()
        resolve(told)
      })
    }
  })`)

describe.skipIf(obstacle)(`a page of another origin${obstacle ? ` (${obstacle})` : ''}`, () => {
  const openPage = sharedBrowser()

  describe('that is in CORS_ORIGINS', () => {
    const visit = async () => {
      const origin = await startForeignSite()
      const gateway = await startGatewayFor(`https://app.example.com,${origin}`)
      const { page, complaints } = await openPage(`${origin}/`)
      return { gateway, page, complaints }
    }

    it('reads a status with a credential, asks again with its ETag, and reads the 304', async () => {
      const { gateway, page, complaints } = await visit()
      const url = gateway.url + statusPath(DONE)
      const headers = { Authorization: 'Bearer leg_page', 'X-Request-Id': 'page-1' }
      const first = await fetchIn(page, url, { headers })
      expect(first).toMatchObject({
        status: 200,
        body: expect.stringContaining('"done"'),
        headers: {
          etag: expect.stringMatching(/^"/),
          age: expect.any(String),
          link: expect.stringContaining('rel="enclosure"'),
          'cache-status': expect.stringContaining('lemlist-gateway'),
          'x-request-id': 'page-1',
        },
      })
      const etag = first === 'blocked' ? '' : (first.headers.etag ?? '')
      const again = await fetchIn(page, url, { headers: { ...headers, 'If-None-Match': etag } })
      expect(again).toMatchObject({ status: 304, body: '', headers: { etag } })
      expect(complaints).toEqual([])
    })

    it('watches an export with EventSource, and with fetch and a credential', async () => {
      const { gateway, page } = await visit()
      const url = gateway.url + eventsPath(DONE)
      expect(await watchIn(page, url)).toEqual(['status', 'end'])
      const headers = { 'X-Api-Key': 'leg_page', 'Last-Event-ID': 'older' }
      const stream = await fetchIn(page, url, { headers })
      expect(stream).toMatchObject({ status: 200, body: expect.stringContaining('event: end') })
    })

    it('starts an export once with an Idempotency-Key, and reads where its status is', async () => {
      const { gateway, page } = await visit()
      const headers = { 'Idempotency-Key': 'page-1', 'X-Api-Key': 'leg_page' }
      const start = () => fetchIn(page, gateway.url + startPath(), { method: 'POST', headers })
      const first = await start()
      expect(first).toMatchObject({
        status: 201,
        headers: { location: expect.stringMatching(/^axp_\w+\/status$/) },
      })
      expect(await start()).toMatchObject({ status: 201, headers: { location: expect.anything() } })
      expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
    })

    it('reads a part of a file, and the name of the file', async () => {
      const { gateway, page } = await visit()
      const headers = { Range: 'bytes=0-9', Authorization: 'Bearer leg_page' }
      expect(await fetchIn(page, gateway.url + filePath(DONE), { headers })).toMatchObject({
        status: 206,
        body: expect.stringMatching(/^.{10}$/),
        headers: {
          'content-disposition': `attachment; filename="export_${DONE.exportId}.csv"`,
          'content-range': 'bytes 0-9/626',
        },
      })
    })

    it('reads why it got nothing: problems, also of an unknown route and of too large headers', async () => {
      const { gateway, page } = await visit()
      const headers = { 'X-Api-Key': 'leg_page' }
      const codes = async (path: string, init: RequestInit) => {
        const seen = await fetchIn(page, gateway.url + path, init)
        return seen === 'blocked' ? seen : JSON.parse(seen.body).code
      }
      expect(await codes('/nowhere', { headers })).toBe('not-found')
      expect(await codes(statusPath({ ...DONE, exportId: 'no-id' }), { headers })).toBe(
        'invalid-id',
      )
      expect(await codes(statusPath(DONE), { method: 'POST', headers })).toBe('method-not-allowed')
      const huge = { 'Idempotency-Key': 'k'.repeat(17_000) }
      expect(await codes(statusPath(DONE), { headers: huge })).toBe('header-too-large')
    })

    it('may not send cookies or other headers, or use a method that the route has not', async () => {
      const { gateway, page, complaints } = await visit()
      const url = gateway.url + statusPath(DONE)
      expect(await fetchIn(page, url, { credentials: 'include' })).toBe('blocked')
      expect(await fetchIn(page, url, { headers: { 'X-Other': 'a' } })).toBe('blocked')
      expect(await fetchIn(page, url, { method: 'DELETE' })).toBe('blocked')
      expect(complaints.join('\n')).toMatch(/credentials.*x-other.*DELETE/is)
    })
  })

  it.each([
    ['that is not in CORS_ORIGINS', 'https://app.example.com'],
    ['without CORS_ORIGINS', ''],
  ])('%s reads nothing and starts nothing', async (_, origins) => {
    const gateway = await startGatewayFor(origins)
    const { page } = await openPage(`${await startForeignSite()}/`)
    const ask = (path: string, init?: RequestInit) => fetchIn(page, gateway.url + path, init)
    const headers = { Authorization: 'Bearer leg_page' }
    expect(await ask(statusPath(DONE))).toBe('blocked')
    expect(await ask(statusPath(DONE), { headers })).toBe('blocked')
    expect(await ask(filePath(DONE))).toBe('blocked')
    expect(await ask('/nowhere')).toBe('blocked')
    expect(await ask(startPath(), { method: 'POST' })).toBe('blocked')
    expect(await ask(startPath(), { method: 'POST', headers })).toBe('blocked')
    expect(await watchIn(page, gateway.url + eventsPath(DONE))).toEqual(['error'])
    expect(gateway.lemlist.calls.filter(isStart)).toEqual([])
  })
})
