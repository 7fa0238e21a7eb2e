import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { getStatus } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { startGuarded } from '../helpers/guarded-gateway.ts'
import { IN_HASTE, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const field = 'Follow or start an export'
const follow = async (page: Page, text: string) => {
  await page.getByLabel(field).fill(text)
  await page.keyboard.press('Enter')
}
const cardOf = (page: Page, exportId: string, state: string) =>
  page.locator('.card', { hasText: exportId }).filter({ hasText: state }).waitFor()
const idsOn = (page: Page) => page.locator('.ids').allTextContents()

describe.skipIf(obstacle !== undefined)(
  `the page with a campaign${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const shared = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()

    /** A campaign with an export that the gateway has seen. */
    const campaign = async (name: string) => {
      const { lemlist, url: baseUrl } = shared()
      const ref = { campaignId: `cam_${name}`, exportId: `axp_${name}` }
      lemlist.add({ ...ref, campaignName: name, durationMs: 0 })
      await getStatus({ baseUrl, ...ref })
      return ref
    }

    it('shows an export that was started in another browser, until it is done', async () => {
      const { campaignId, exportId } = await campaign('Watched')
      const { page, complaints } = await openPage(shared().url)
      await follow(page, campaignId)
      await cardOf(page, exportId, 'Done')
      await page.locator('#line[data-line=live]').waitFor()

      const { page: other } = await openPage(shared().url)
      await other.getByLabel(field).fill(campaignId)
      await other.getByRole('button', { name: 'Start', exact: true }).click()
      await other.locator('.state', { hasText: 'Pending' }).waitFor()
      const [key = ''] = await idsOn(other)
      const started = key.replace(`${campaignId}/`, '')
      await cardOf(page, started, 'Pending')
      expect(await idsOn(page)).toEqual([key, `${campaignId}/${exportId}`])
      shared().lemlist.finish(started)
      await cardOf(page, started, 'Done')
      expect(new URL(page.url()).hash).toBe(`#${campaignId}`)
      expect(complaints).toEqual([])
    })

    it('starts an export by the button beside it, and opens a link to the campaign', async () => {
      const { campaignId, exportId } = await campaign('Linked')
      const { page } = await openPage(`${shared().url}/#${campaignId}`)
      await cardOf(page, exportId, 'Done')
      expect(await page.locator('#campaign-name').textContent()).toBe('Linked')
      await page.getByRole('button', { name: 'Start an export' }).click()
      await page.locator('.card:first-child', { hasText: 'Pending' }).waitFor()
      expect(await idsOn(page)).toHaveLength(2)
    })

    it('does not bring back what somebody removed, and leaves with its exports', async () => {
      const { campaignId, exportId } = await campaign('Left')
      const { page } = await openPage(`${shared().url}/#${campaignId}`)
      await cardOf(page, exportId, 'Done')
      await page.getByRole('button', { name: 'Clear finished' }).click()
      await page.locator('.card').waitFor({ state: 'detached' })
      // For one more export the page opens new streams, and that of the campaign tells everything anew.
      const lone = shared().lemlist.add({ outcome: 'never', durationMs: 600_000 })
      const retold = page.waitForResponse((one) => one.url().endsWith(`${campaignId}/events`))
      await follow(page, `${lone.campaignId}/${lone.exportId}`)
      await cardOf(page, lone.exportId, 'Pending')
      await retold
      const later = { campaignId, exportId: 'axp_LeftLater' }
      shared().lemlist.add({ ...later, durationMs: 0 })
      await getStatus({ baseUrl: shared().url, ...later })
      await cardOf(page, later.exportId, 'Done')
      const followed = [later, lone].map((ref) => `${ref.campaignId}/${ref.exportId}`)
      expect(await idsOn(page)).toEqual(followed)
      await page.getByRole('button', { name: 'Stop following the campaign' }).click()
      await page.locator('#campaign').waitFor({ state: 'hidden' })
      expect(await idsOn(page)).toEqual(followed.slice(1))
      expect(new URL(page.url()).hash).toBe(`#${followed[1]}`)
    })

    it('asks for a sign-in, and then shows the exports of the campaign', async () => {
      const { lemlist, url, key } = await startGuarded()
      const ref = { campaignId: 'cam_Guarded1', exportId: 'axp_Guarded1' }
      lemlist.add({ ...ref, durationMs: 0 })
      await getStatus({ baseUrl: url, apiKey: key, ...ref })
      const { page } = await openPage(`${url}/#${ref.campaignId}`)
      await page.getByLabel('Key, ticket or token').fill(key)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await cardOf(page, ref.exportId, 'Done')
    })

    it('shares one stream among the tabs of a browser', async () => {
      const { campaignId, exportId } = await campaign('Tabs')
      const { page } = await openPage('about:blank')
      let streams = 0
      page.context().on('request', (one) => {
        if (one.url().endsWith(`${campaignId}/events`)) streams += 1
      })
      await page.goto(`${shared().url}/#${campaignId}`)
      await cardOf(page, exportId, 'Done')
      const tab = await page.context().newPage()
      // The campaign is remembered, so a second tab follows it without a link.
      await tab.goto(shared().url)
      await cardOf(tab, exportId, 'Done')
      shared().lemlist.add({ campaignId, exportId: 'axp_TabsLater', durationMs: 0 })
      await getStatus({ baseUrl: shared().url, campaignId, exportId: 'axp_TabsLater' })
      await Promise.all([page, tab].map((one) => cardOf(one, 'axp_TabsLater', 'Done')))
      expect(streams).toBe(1)
    })
  },
)
