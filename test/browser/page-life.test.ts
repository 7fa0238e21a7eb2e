import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { getStatus, watchExport } from '../../src/client/client.js'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { sandbox } from '../../src/sandbox/main.ts'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { KEY, sharedGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { IN_HASTE, linkTo, sharedBrowser } from '../helpers/live-page.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'

const obstacle = browserObstacle()
const inBrowser = describe.skipIf(obstacle !== undefined)
const why = obstacle ? ` (${obstacle})` : ''

const openPage = sharedBrowser()

inBrowser(`the life of an export on the page${why}`, () => {
  const shared = sharedGateway({
    ...IN_HASTE,
    // The test itself ends the export, after the page has shown the progress.
    lemlist: { ...IN_HASTE.lemlist, started: { outcome: 'never', fileBytes: 300_000 } },
  })

  it('is start, progress, done, and a download of the bytes that lemlist has', async () => {
    const gateway = shared()
    gateway.lemlist.addCampaign('cam_Life1', 'A campaign')
    const { page, complaints } = await openPage(gateway.url)
    await page.getByLabel('Follow or start an export').fill('cam_Life1')
    await page.getByRole('button', { name: 'Start', exact: true }).click()

    const card = page.locator('.card')
    await card.locator('.state', { hasText: 'Pending' }).waitFor()
    const [campaignId = '', exportId = ''] =
      (await card.locator('.ids').textContent())?.split('/') ?? []
    gateway.lemlist.progress(exportId, 400, 1_000)
    await card.locator('.step', { hasText: /Step [1-5] of 6 · processing/ }).waitFor()
    await card.locator('.items', { hasText: /\d+ of 1,000/ }).waitFor()
    gateway.lemlist.finish(exportId)
    await card.locator('.state', { hasText: 'Done' }).waitFor()
    expect(await card.locator('h3').textContent()).toBe('A campaign')
    expect(await card.locator('progress').getAttribute('value')).toBe('1')
    expect(await card.locator('[data-fact=elapsed]').textContent()).toMatch(
      /^Duration\d+(\.\d)? s$/,
    )
    expect(await card.locator('.items').textContent()).toBe('File of 300 kB')
    expect(await card.locator('.step-text').textContent()).toMatch(/^Link dies in 23 h \(.+\)$/)

    const downloading = page.waitForEvent('download')
    await card.getByRole('link', { name: /^Download CSV of A campaign/ }).click()
    const download = await downloading
    expect(download.suggestedFilename()).toBe(`export_${exportId}.csv`)
    const saved = await readFile(await download.path())

    const { status } = await getStatus({ baseUrl: gateway.url, campaignId, exportId })
    const authorization = `Basic ${btoa(`:${KEY}`)}`
    const original = await fetch(status.url ?? '', { headers: { authorization } })
    expect(saved.equals(Buffer.from(await original.arrayBuffer()))).toBe(true)
    expect(saved.length).toBe(300_000)
    expect(complaints).toEqual([])
  })

  it('is the same when a proxy serves the gateway below a path', async () => {
    const gateway = shared()
    const ref = gateway.lemlist.add({ durationMs: 0 })
    const { page, complaints } = await openPage('about:blank')
    const below = `${gateway.url}/some/path`
    await page.route(`${below}/**`, (route) =>
      route.continue({ url: route.request().url().replace(below, gateway.url) }),
    )
    const beside: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(`${below}/`)) beside.push(request.url())
    })
    await page.goto(linkTo(below, [ref]))
    await page.locator('.state', { hasText: 'Done' }).waitFor()
    expect(await page.locator('.download').getAttribute('href')).toBe(
      `${below}/campaigns/${ref.campaignId}/export/${ref.exportId}/file`,
    )
    await page.locator('.remove').click()
    expect(page.url()).toBe(`${below}/`)
    expect(beside).toEqual([])
    expect(complaints).toEqual([])
  })

  it('begins with one press in the sandbox, on one stream for all', async () => {
    const host = fakeHost({ env: { PORT: '0', POLL_FIRST_MS: '50', POLL_INTERVAL_MS: '500' } })
    const lemlist = await sandbox(host)
    const [url = ''] = /http:\S+\/(?=\n)/.exec(host.printed.join('\n')) ?? []
    const { page, complaints } = await openPage(url)
    const streams: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('/events?')) streams.push(request.url())
    })
    const offers = page.locator('.offer', { hasNotText: 'Campaign' })
    await offers.first().waitFor()
    for (const offer of await offers.all()) await offer.click()
    expect(await page.locator('.offer[aria-pressed=true]').count()).toBe(await offers.count())
    // The export would fail by itself after five seconds. The test does not wait for that.
    const failing = readyMade().find(({ outcome }) => outcome === 'error')
    lemlist?.finish(failing?.exportId ?? '', 'error')
    await page.locator('.state', { hasText: 'Done' }).nth(1).waitFor()
    await page.locator('.state', { hasText: 'Failed' }).waitFor()
    expect(await page.locator('.card').count()).toBe(5)
    expect(await page.title()).toBe('2 pending · Campaign exports')
    expect(streams.at(-1)?.match(/export=/g)?.length).toBeGreaterThan(1)
    expect(complaints).toEqual([])
  })
})

inBrowser(`a restart of the gateway in mid-export${why}`, () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'by %s: page and typed client carry on without a reload',
    async (signal) => {
      const lemlist = createLemlist({ ...IN_HASTE.lemlist, apiKeys: [KEY] })
      onTestFinished(() => lemlist.close())
      const env = {
        LEMLIST_API_KEY: KEY,
        LEMLIST_BASE_URL: await lemlist.listen(),
        STORE_URL: `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`,
        ...IN_HASTE.env,
      }
      const before = await spawnGateway(env)
      const proxy = await startHastyProxy(before.url)
      const ref = lemlist.add({ campaignName: 'Carried on', outcome: 'never', durationMs: 600_000 })
      lemlist.progress(ref.exportId, 20, 100)
      const { page, complaints } = await openPage(linkTo(proxy.url, [ref]))
      const card = page.locator('.card')
      await card.locator('.items', { hasText: '20 of 100' }).waitFor()
      const mark = await page.evaluateHandle(() => ({ still: 'here' }))

      const watch = watchExport({ baseUrl: proxy.url, ...ref })
      const first = await watch.next()
      expect(first.value).toMatchObject({ status: { status: 'pending', progress: 20 } })

      // The page may say this only until it has looked for the gateway in vain, and a gateway that stops
      // in order takes its time to end.
      const told = Promise.all([
        page.locator('#line[data-line=lost]').waitFor(),
        page.locator('#notice', { hasText: 'Trying again by itself' }).waitFor(),
      ])
      await before.end(signal)
      await told

      const after = await spawnGateway(env)
      proxy.aim(after.url)
      await page.locator('#line[data-line=live]').waitFor()
      lemlist.finish(ref.exportId)
      await card.locator('.state', { hasText: 'Done' }).waitFor()
      const states: string[] = []
      for await (const { status } of watch) states.push(status.status)
      expect(states.at(-1)).toBe('done')
      // A reload of the page would have deleted the mark.
      expect(await mark.jsonValue()).toEqual({ still: 'here' })
      // The browser itself logs each connection that fails. The page must log nothing.
      const own = complaints.filter((line) => !/net::ERR_|Failed to load resource/.test(line))
      expect(own).toEqual([])
    },
  )
})
