import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { IN_HASTE, linkTo, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
/** A browser opens six connections to a host over HTTP/1.1. */
const TABS = 8
const KEY = 'lemlist-export-gateway:exports'
const NO_LOCKS = `Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })`

describe.skipIf(obstacle !== undefined)(
  `several tabs of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const shared = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()
    const working = () => {
      const script = { campaignName: 'Shared', outcome: 'never', durationMs: 600_000 } as const
      return shared().lemlist.add(script)
    }
    /** The streams that are open now, in all tabs. */
    const streamsOf = (page: Page) => {
      const open = new Set<unknown>()
      let most = 0
      page.context().on('request', (one) => {
        if (one.url().includes('/events?')) open.add(one)
        most = Math.max(most, open.size)
      })
      page.context().on('requestfailed', (one) => open.delete(one))
      page.context().on('requestfinished', (one) => open.delete(one))
      return () => ({ now: open.size, most })
    }
    const openTabs = async (page: Page, url: string) => {
      const tabs = [page]
      await page.goto(url)
      while (tabs.length < TABS) {
        const tab = await page.context().newPage()
        await tab.goto(url)
        tabs.push(tab)
      }
      return tabs
    }
    const allShow = (tabs: readonly Page[], selector: string, hasText: string) =>
      Promise.all(tabs.map((tab) => tab.locator(selector, { hasText }).waitFor()))

    // Regression: the seventh tab never loaded, because each of the six before it held a stream.
    it('all load and are live on one stream, and the next tab takes it over', async () => {
      const ref = working()
      const { page } = await openPage('about:blank')
      const streams = streamsOf(page)
      const tabs = await openTabs(page, linkTo(shared().url, [ref]))
      await allShow(tabs, '.state', 'Pending')
      await allShow(tabs, '#line', 'Live')
      expect(streams()).toEqual({ now: 1, most: 1 })
      const [first, ...rest] = tabs
      await first?.close()
      shared().lemlist.progress(ref.exportId, 3, 9)
      await allShow(rest, '.items', '3 of 9')
      shared().lemlist.finish(ref.exportId)
      await allShow(rest, '.state', 'Done')
    })

    it('a tab that comes later is told what the others know already', async () => {
      const ref = working()
      const ended = shared().lemlist.add({ durationMs: 0 })
      const { page } = await openPage(linkTo(shared().url, [ref, ended]))
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      const later = await page.context().newPage()
      await later.goto(shared().url)
      await later.locator('.state', { hasText: 'Done' }).waitFor()
      await later.locator('.state', { hasText: 'Pending' }).waitFor()
    })

    // Regression: each tab wrote its own list over the other's.
    it('have one list: what one adds or removes, the other does too', async () => {
      const [one, two, three] = [working(), working(), working()]
      const { page } = await openPage(linkTo(shared().url, [one]))
      const other = await page.context().newPage()
      await other.goto(linkTo(shared().url, [two]))
      await page.locator('.card', { hasText: two.exportId }).waitFor()
      await page.getByLabel('Follow or start').fill(`${three.campaignId} ${three.exportId}`)
      await page.keyboard.press('Enter')
      await other.locator('.card', { hasText: three.exportId }).waitFor()
      await other.locator('.card', { hasText: one.exportId }).locator('.remove').click()
      await page.locator('.card', { hasText: one.exportId }).waitFor({ state: 'detached' })
      const kept = await page.evaluate<string>(`localStorage.getItem('${KEY}')`)
      expect(kept.split(',').map((key) => key.split('/')[1])).toEqual([
        three.exportId,
        two.exportId,
      ])
    })

    it('without locks each has its own stream and lets go of it while it is hidden', async () => {
      const ref = working()
      const { page } = await openPage('about:blank')
      await page.addInitScript(NO_LOCKS)
      const streams = streamsOf(page)
      await page.goto(linkTo(shared().url, [ref]))
      await page.locator('#line[data-line=live]').waitFor()
      const see = (state: string) =>
        page.evaluate(`
          Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true })
          document.dispatchEvent(new Event('visibilitychange'))
        `)
      await see('hidden')
      await page.locator('#line[data-line=paused]').waitFor()
      await expect.poll(() => streams().now).toBe(0)
      await see('visible')
      await page.locator('#line[data-line=live]').waitFor()
      expect(streams()).toEqual({ now: 1, most: 1 })
    })
  },
)
