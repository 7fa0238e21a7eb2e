import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Request } from 'playwright-core'
import { rolldown } from 'rolldown'
import { describe, expect, it } from 'vitest'
import { getStatus, startExport } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { IN_HASTE, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const inBrowser = describe.skipIf(obstacle !== undefined)
const why = obstacle ? ` (${obstacle})` : ''

const FIRST = { campaignId: 'cam_Examples2', exportId: 'axp_Examples1' }
const SECOND = { campaignId: 'cam_Examples2', exportId: 'axp_Examples2' }

const openPage = sharedBrowser()

/** A page on the origin of the gateway, where a reverse proxy would serve it. */
const serve = async (html: string, script = '') => {
  const gateway = await startGateway(IN_HASTE)
  const opened = await openPage('about:blank')
  const { page } = opened
  await page.route(`${gateway.url}/example*`, (route) =>
    route.request().url().includes('.js')
      ? route.fulfill({ contentType: 'text/javascript', body: script })
      : route.fulfill({ contentType: 'text/html', body: html }),
  )
  const streams: string[] = []
  const over: string[] = []
  const note = (list: string[]) => (request: Request) => {
    if (request.url().endsWith('/events')) list.push(request.url())
  }
  page.on('request', note(streams))
  page.on('requestfailed', note(over))
  page.on('requestfinished', note(over))
  const add = (ref: typeof FIRST) => {
    gateway.lemlist.add({ ...ref, outcome: 'never', durationMs: 600_000, fileBytes: 3_000 })
    gateway.lemlist.progress(ref.exportId, 1, 4)
  }
  return { ...opened, gateway, add, streams, over }
}

inBrowser(`browser.html${why}`, () => {
  const html = readFileSync(join(import.meta.dirname, '../../examples/browser.html'), 'utf8')
  const open = async () => {
    const served = await serve(html)
    const query = `campaign=${FIRST.campaignId}&export=${FIRST.exportId}`
    return { ...served, go: () => served.page.goto(`${served.gateway.url}/example?${query}`) }
  }

  it('shows the progress, then the link to the file, on one connection', async () => {
    const { page, gateway, add, streams, go, complaints } = await open()
    add(FIRST)
    await go()
    await page.locator('#state', { hasText: 'pending' }).waitFor()
    expect(await page.locator('progress').getAttribute('value')).toBe('0.25')
    gateway.lemlist.finish(FIRST.exportId)
    await page.locator('#state', { hasText: 'done' }).waitFor()
    const downloading = page.waitForEvent('download')
    await page.getByRole('link', { name: 'Download the CSV' }).click()
    expect(readFileSync(await (await downloading).path())).toHaveLength(3_000)
    expect(streams).toHaveLength(1)
    expect(complaints).toEqual([])
  })

  it('says so when the gateway refuses', async () => {
    const { page, go } = await open()
    await go()
    await page.locator('#state', { hasText: 'The gateway refuses this export.' }).waitFor()
  })
})

const APP = '<div id="app"></div><script type="module" src="/example.js"></script>'

const bundle = async (app: string) => {
  const bundling = await rolldown({
    input: join(import.meta.dirname, app),
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"development"' } },
  })
  const { output } = await bundling.generate({ format: 'esm' })
  await bundling.close()
  return output[0].code
}

inBrowser(`react-hook.js${why}`, () => {
  let bundled: Promise<string> | undefined
  const open = async () => {
    bundled ??= bundle('react-app.js')
    const served = await serve(APP, await bundled)
    const query = new URLSearchParams(FIRST)
    return { ...served, go: () => served.page.goto(`${served.gateway.url}/example?${query}`) }
  }

  it('is about twenty lines', () => {
    const hook = readFileSync(join(import.meta.dirname, '../../examples/react-hook.js'), 'utf8')
    const [, code = ''] = hook.split('export function ')
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(20)
  })

  it('renders each status to the last, in strict mode', async () => {
    const { page, gateway, add, go, complaints } = await open()
    add(FIRST)
    await go()
    await page.locator('#state', { hasText: `${FIRST.exportId}: pending` }).waitFor()
    gateway.lemlist.finish(FIRST.exportId)
    await page.locator('#state', { hasText: `${FIRST.exportId}: done` }).waitFor()
    expect(complaints.filter((line) => !line.includes('React DevTools'))).toEqual([])
  })

  it('lets go of its stream when the component shows another export, and when it goes', async () => {
    const { page, add, go, streams, over } = await open()
    add(FIRST)
    add(SECOND)
    await go()
    await page.locator('#state', { hasText: `${FIRST.exportId}: pending` }).waitFor()
    await page.evaluate(`show(${JSON.stringify(SECOND)})`)
    await page.locator('#state', { hasText: `${SECOND.exportId}: pending` }).waitFor()
    await page.evaluate('show(null)')
    await page.locator('#state', { hasText: 'gone' }).waitFor()
    await expect.poll(() => over.length).toBe(streams.length)
    expect(new Set(streams).size).toBe(2)
  })

  // One render showed the old export under the new ids: a wrong link for a moment.
  it('never shows one export under the ids of another', async () => {
    const { page, add, go } = await open()
    add(FIRST)
    add(SECOND)
    await go()
    for (const ref of [SECOND, FIRST, SECOND]) {
      await page.locator('#state', { hasText: ': pending' }).waitFor()
      await page.evaluate(`show(${JSON.stringify(ref)})`)
      await page.locator('#state', { hasText: `${ref.exportId}: pending` }).waitFor()
    }
    const commits = await page.evaluate<[string, string][]>('commits')
    const shown = commits.filter(([, id]) => id !== '')
    expect(new Set(shown.map(([asked]) => asked)).size).toBe(2)
    expect(shown.filter(([asked, id]) => asked !== id)).toEqual([])
  })

  it('tells what the gateway refuses', async () => {
    const { page, go } = await open()
    await go()
    await page.locator('#state', { hasText: `${FIRST.exportId}: campaign-not-found` }).waitFor()
  })
})

inBrowser(`react-campaign.js${why}`, () => {
  it('shows the exports of a campaign in a table that lives, in strict mode', async () => {
    const served = await serve(APP, await bundle('react-campaign-app.js'))
    const { page, gateway, add, complaints } = served
    add(FIRST)
    await getStatus({ baseUrl: gateway.url, ...FIRST })
    await page.goto(`${gateway.url}/example?campaignId=${FIRST.campaignId}`)
    await page.locator('tr', { hasText: `${FIRST.exportId}pending` }).waitFor()
    const options = { baseUrl: gateway.url, campaignId: FIRST.campaignId }
    const { id } = await startExport(options)
    await page.locator('tr:first-child', { hasText: `${id}pending` }).waitFor()
    gateway.lemlist.finish(id)
    await page.locator('tr', { hasText: `${id}done` }).waitFor()
    expect(await page.locator('tr').count()).toBe(2)
    expect(complaints.filter((line) => !line.includes('React DevTools'))).toEqual([])
  })
})
