import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { startForwarder } from '../helpers/forwarder.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { hearNews, IN_HASTE, linkTo, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const FIELD = 'Follow or start an export'
const NEVER = { outcome: 'never', durationMs: 600_000 } as const

describe.skipIf(obstacle !== undefined)(
  `the page all day long${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const shared = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()
    const open = async (script = {}, options = {}) => {
      const ref = shared().lemlist.add({ ...NEVER, campaignName: 'Spring', ...script })
      const { page } = await openPage(linkTo(shared().url, [ref]), options)
      return { page, ref, lemlist: shared().lemlist }
    }
    const press = async (page: Page, name: string, text: string) => {
      await page.getByLabel(FIELD).fill(text)
      await page.getByRole('button', { name, exact: true }).click()
    }
    const ids = (page: Page) => page.locator('.ids').allTextContents()
    const starts = () => shared().lemlist.calls.filter(({ operation }) => operation === 'start')

    it('shows what is followed at the top, on a desk and on a phone', async () => {
      const { page } = await open()
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      for (const [viewport, most] of [
        [{ width: 1280, height: 900 }, 160],
        [{ width: 390, height: 844 }, 200],
      ] as const) {
        await page.setViewportSize(viewport)
        expect((await page.locator('.card').boundingBox())?.y).toBeLessThan(most)
      }
      expect(await page.locator('#add-hint').isVisible()).toBe(false)
    })

    // Regression: the third one was dropped without a word.
    it('keeps and names what it could not take', async () => {
      const { page } = await openPage(shared().url)
      await press(page, 'Follow', 'cam_a/axp_b cam_c/axp_d cam_e/axp-f')
      await page.locator('#add-fault', { hasText: '“cam_e/axp-f”' }).waitFor()
      expect(await page.getByLabel(FIELD).inputValue()).toBe('cam_e/axp-f')
      expect(await ids(page)).toEqual(['cam_a/axp_b', 'cam_c/axp_d'])
    })

    // Regression: it started a new export of the campaign.
    it('asks when somebody presses Start for an export that exists', async () => {
      const { page } = await openPage(shared().url)
      shared().lemlist.clearCalls()
      await press(page, 'Start', 'cam_a/axp_b')
      await page.getByRole('button', { name: 'Follow it' }).click()
      await page.locator('.card').waitFor()
      expect(starts()).toEqual([])
    })

    // Regression: the field kept its value, so a second press started a second export.
    it('empties the field after a start, shows the card, and asks before the same again', async () => {
      const small = { viewport: { width: 390, height: 300 } }
      const { page } = await openPage(shared().url, small)
      shared().lemlist.clearCalls()
      shared().lemlist.addCampaign('cam_Twice', 'Twice')
      await press(page, 'Start', 'cam_Twice')
      await page.locator('.card:focus').waitFor()
      expect(await page.getByLabel(FIELD).inputValue()).toBe('')
      await page.locator('#toast', { hasText: 'Started' }).waitFor()
      const box = await page.locator('.card').boundingBox()
      expect(box && box.y >= 0 && box.y + box.height <= 300).toBe(true)
      await press(page, 'Start', 'cam_Twice')
      await page.getByRole('button', { name: 'Cancel' }).click()
      expect(starts()).toHaveLength(1)
      await page.getByRole('button', { name: 'Start', exact: true }).click()
      await page.getByRole('button', { name: 'Start another' }).click()
      await page.locator('.card').nth(1).waitFor()
      expect(starts()).toHaveLength(2)
    })

    it('starts a failed export again from its card', async () => {
      const { page, ref, lemlist } = await open({ campaignId: 'cam_Again' })
      lemlist.addCampaign('cam_Again', 'Spring')
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      lemlist.finish(ref.exportId, 'error')
      await page.getByRole('button', { name: 'Start again' }).click()
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      expect(await page.locator('.card').count()).toBe(2)
    })

    // Regression: the browser's download failed, and the card stayed "Done".
    it('says on the card that lemlist has no file any more', async () => {
      const { page, ref, lemlist } = await open({ durationMs: 0, outcome: 'done' })
      const link = page.getByRole('link', { name: 'Download' })
      await link.waitFor()
      const url = `**/export/${ref.exportId}/file`
      await page.route(url, (route) => route.fulfill({ status: 503 }))
      await link.click()
      await page.locator('.trouble', { hasText: 'HTTP 503' }).waitFor()
      await page.unroute(url)
      lemlist.script({ operation: 'file' }, { status: 404, headers: {}, body: '' })
      await link.click()
      await page.locator('.state', { hasText: 'Expired' }).waitFor()
      lemlist.clearScripts()
      expect(await link.isVisible()).toBe(false)
    })

    // Regression: the bar was about one step, and each step begins at zero.
    it('has a bar that never runs backwards', async () => {
      const { page, ref, lemlist } = await open()
      const value = () => page.locator('progress').getAttribute('value').then(Number)
      const seen: number[] = []
      for (const done of [5, 9, 1]) {
        lemlist.progress(ref.exportId, done, 9)
        await page.locator('.items', { hasText: `${done} of 9` }).waitFor()
        seen.push(await value())
      }
      expect(seen[0]).toBeGreaterThan(0)
      expect(seen.toSorted((a, b) => a - b)).toEqual(seen)
    })

    it('shows a hostile name as one line, set apart, and whole when somebody asks', async () => {
      const campaignName = `\u202efdp.exe ${'long '.repeat(400)}`
      const { page } = await open({ campaignName }, { viewport: { width: 390, height: 844 } })
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      expect(await page.locator('bdi.name').textContent()).not.toContain('\u202e')
      const height = async () => (await page.locator('.card').boundingBox())?.height ?? 0
      expect(await height()).toBeLessThan(240)
      await page.getByRole('button', { name: 'Whole name' }).click()
      expect(await height()).toBeGreaterThan(500)
    })

    it('clears what is finished, and brings it back', async () => {
      const { page, ref, lemlist } = await open()
      const done = lemlist.add({ campaignName: 'Old', durationMs: 0 })
      await press(page, 'Follow', `${done.campaignId}/${done.exportId}`)
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      const before = await ids(page)
      await page.getByRole('button', { name: 'Clear finished' }).click()
      expect(await ids(page)).toEqual([`${ref.campaignId}/${ref.exportId}`])
      await page.getByRole('button', { name: 'Undo' }).click()
      expect(await ids(page)).toEqual(before)
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      // The address of the next page names nothing, so what it shows is what the browser remembers.
      await page.goto('about:blank')
      await page.goto(shared().url)
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      expect(await ids(page)).toEqual(before)
    })

    it('shows only those that somebody wants to see', async () => {
      const { page, lemlist } = await open()
      const done = lemlist.add({ campaignName: 'Old', durationMs: 0 })
      await press(page, 'Follow', `${done.campaignId}/${done.exportId}`)
      await page.getByRole('button', { name: 'Ready 1' }).click()
      expect(await page.locator('.card:visible h3').allTextContents()).toEqual(['Old'])
      await page.getByRole('button', { name: 'Failed 0' }).click()
      expect(await page.locator('.card:visible').count()).toBe(0)
      expect(await page.locator('#none').isVisible()).toBe(true)
    })

    it('says that it is full, and says each news anew', async () => {
      const many = Array.from({ length: 100 }, (_, index) => `cam_Full/axp_Full${index}`)
      const { page } = await openPage(`${shared().url}/#${many.join(',')}`)
      await page.goto(`${shared().url}/#cam_More/axp_More`)
      await page.locator('#toast', { hasText: '100 exports at most' }).waitFor()
      await press(page, 'Follow', 'cam_More/axp_More')
      await page.locator('#add-fault', { hasText: '100 exports at most' }).waitFor()
      expect(await page.locator('.card').count()).toBe(100)
      await page.context().grantPermissions(['clipboard-write'])
      // News of the 100 exports come at the same time, and the page keeps no more than the last 20.
      const heard = await hearNews(page)
      for (let time = 0; time < 3; time += 1) await page.locator('.copy').first().click()
      const ofCopies = async () => (await heard()).filter((news) => news.includes('copied')).length
      await expect.poll(ofCopies).toBe(3)
      await page.locator('.copy [href="#i-link"]').nth(99).waitFor({ state: 'attached' })
    })

    it.each([
      ['a desk', { width: 1280, height: 900 }],
      ['a phone', { width: 390, height: 844 }],
    ])('moves nothing when a status changes, on %s', async (_, viewport) => {
      const { page, ref, lemlist } = await open({}, { viewport })
      const other = lemlist.add({ ...NEVER, campaignName: 'Below' })
      await press(page, 'Follow', `${other.campaignId}/${other.exportId}`)
      await page.locator('.state', { hasText: 'Pending' }).nth(1).waitFor()
      await page.evaluate(`new Promise((done) => {
        globalThis.shifts = []
        new PerformanceObserver((all) => shifts.push(...all.getEntries().flatMap((one) => one.sources.map(({ node }) => node?.parentElement?.outerHTML ?? one.value))))
          .observe({ type: 'layout-shift' })
        requestAnimationFrame(() => requestAnimationFrame(done))
      })`)
      for (const id of [other.exportId, ref.exportId]) {
        lemlist.progress(id, 2, 9)
        await page.locator('.items', { hasText: '2 of 9' }).first().waitFor()
        lemlist.finish(id, id === ref.exportId ? 'done' : 'error')
      }
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      await page.locator('.state', { hasText: 'Failed' }).waitFor()
      await page.evaluate(
        'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))',
      )
      expect(await page.evaluate('shifts')).toEqual([])
    })

    // Regression: the badge said "Live" for a minute.
    it('says within seconds that the gateway hangs, stops the clock, and heals', async () => {
      const { lemlist, url } = shared()
      const ref = lemlist.add({ ...NEVER, campaignName: 'Hung' })
      let isHung = false
      const way = await startForwarder((bytes) => (isHung ? Buffer.alloc(0) : bytes))
      way.aim(url)
      const { page } = await openPage(linkTo(way.url, [ref]))
      await page.locator('#line[data-line=live]').waitFor()
      // Nothing is closed, and no request has an answer any more.
      isHung = true
      await page.locator('#line[data-line=away]').waitFor({ timeout: 20_000 })
      expect(await page.getByRole('button', { name: 'Try again' }).isVisible()).toBe(true)
      const style = "getComputedStyle(document.querySelector('.card')).borderTopStyle"
      expect(await page.evaluate(style)).toBe('dashed')
      isHung = false
      await page.locator('#line[data-line=live]').waitFor()
    }, 40_000)
  },
)
