import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { IN_HASTE, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const NOWHERE = 'http://127.0.0.1:1'

const press = async (page: Page) => {
  await page.getByLabel('Follow or start an export').fill('cam_Start1')
  await page.getByRole('button', { name: 'Start', exact: true }).click()
}
const buttonOf = (page: Page) => page.locator('#add button.primary')

describe.skipIf(obstacle !== undefined)(
  `a start that goes wrong${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const openPage = sharedBrowser()
    const open = async () => {
      const gateway = await startGateway(IN_HASTE)
      gateway.lemlist.addCampaign('cam_Start1', 'A campaign')
      const proxy = await startHastyProxy(gateway.url)
      const { page } = await openPage(proxy.url)
      const starts = () => gateway.lemlist.calls.filter(({ operation }) => operation === 'start')
      return { gateway, proxy, page, starts }
    }

    // Regression: the page wrote "The gateway keeps trying", and the gateway never repeats a start.
    it('says that a start is not repeated when lemlist is down, and the next press is safe', async () => {
      const { gateway, page, starts } = await open()
      gateway.lemlist.script({ operation: 'start' }, { status: 503, headers: {}, body: '' })
      await press(page)
      const fault = page.locator('#add-fault')
      await fault
        .filter({ hasText: 'lemlist cannot be reached. The gateway does not repeat a start' })
        .waitFor()
      expect(await fault.textContent()).not.toContain('keeps trying')
      expect(await buttonOf(page).getAttribute('aria-busy')).toBe('false')
      expect(await page.locator('#line').textContent()).toContain('Idle')
      // lemlist got the first start, so the second press must not start a second export.
      await press(page)
      await fault.filter({ hasText: 'Look into lemlist first' }).waitFor()
      expect(starts()).toHaveLength(1)
      gateway.lemlist.clearScripts()
      await press(page)
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      expect(starts()).toHaveLength(2)
    })

    it('says that an export may have begun when the gateway says that no repeat is safe', async () => {
      const { page } = await open()
      await page.route('**/export/start', (route) =>
        route.fulfill({
          status: 504,
          contentType: 'application/problem+json',
          body: JSON.stringify({ code: 'upstream-timeout', status: 504, retryable: false }),
        }),
      )
      await press(page)
      const words = 'lemlist may have begun an export all the same. Look into lemlist before'
      await page.locator('#add-fault', { hasText: words }).waitFor()
    })

    // Regression: the button stayed busy for 16 s, and the badge said "Idle" all the time.
    it('says within seconds that the gateway is gone, and shows when it is back', async () => {
      const { gateway, proxy, page, starts } = await open()
      proxy.aim(NOWHERE)
      await press(page)
      const line = page.locator('#line')
      await page.locator('#line[data-line=away]').waitFor({ timeout: 8_000 })
      expect(await line.textContent()).toContain('Unreachable')
      await page.locator('#add-fault', { hasText: 'The gateway did not answer' }).waitFor()
      expect(await buttonOf(page).getAttribute('aria-busy')).toBe('false')
      expect(await page.locator('#notice').textContent()).toContain('every few seconds')
      proxy.aim(gateway.url)
      await page.locator('#line[data-line=idle]').waitFor()
      expect(await page.locator('#notice').isVisible()).toBe(false)
      await press(page)
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      expect(starts()).toHaveLength(1)
    })

    it('says it, too, when the gateway takes the connection and never answers', async () => {
      const { page } = await open()
      await page.route(/\/export\/start$|ready-made/, () => {})
      await press(page)
      await page.locator('#line[data-line=away]').waitFor({ timeout: 10_000 })
      await page.locator('#add-fault', { hasText: 'The gateway did not answer' }).waitFor()
      expect(await buttonOf(page).getAttribute('aria-busy')).toBe('false')
    })

    it('says that the gateway is there while lemlist takes long', async () => {
      const { gateway, page } = await open()
      gateway.lemlist.script({ operation: 'start' }, { hang: true })
      await press(page)
      await page.locator('#toast-text', { hasText: 'The gateway is there' }).waitFor()
      expect(await page.locator('#line').textContent()).toContain('Idle')
      expect(await buttonOf(page).getAttribute('aria-busy')).toBe('true')
    })
  },
)
