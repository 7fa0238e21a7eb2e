import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { hearNews, IN_HASTE, linkTo, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()

const FIRST = { campaignId: 'cam_List1', exportId: 'axp_List1' }
const SECOND = { campaignId: 'cam_List2', exportId: 'axp_List2' }
const THIRD = { campaignId: 'cam_List2', exportId: 'axp_List3' }

const idsOn = (page: Page) => page.locator('.ids').allTextContents()
const follow = async (page: Page, text: string) => {
  await page.getByLabel('Follow or start an export').fill(text)
  await page.keyboard.press('Enter')
}

describe.skipIf(obstacle !== undefined)(
  `the list of followed exports${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const shared = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()
    beforeAll(() => {
      for (const ref of [FIRST, SECOND, THIRD]) {
        const script = { ...ref, campaignName: `Name of ${ref.exportId}`, durationMs: 0 }
        shared().lemlist.add(script)
      }
    })
    const open = async (path = '/') => {
      const gateway = shared()
      return { gateway, ...(await openPage(gateway.url + path)) }
    }

    it('is empty at first, and explains itself', async () => {
      const { page, complaints } = await open()
      expect(await page.getByRole('heading', { name: 'Nothing followed yet' }).isVisible()).toBe(
        true,
      )
      expect(await page.locator('#line').textContent()).toContain('Idle')
      expect(complaints).toEqual([])
    })

    it('takes several, each once, and shows their ids in the address', async () => {
      const { page } = await open()
      const expected = ['cam_List1/axp_List1', 'cam_List2/axp_List2', 'cam_List2/axp_List3']
      await follow(page, 'cam_List1/axp_List1, cam_List2/axp_List2 cam_List2/axp_List3')
      await page.locator('.state', { hasText: 'Done' }).nth(2).waitFor()
      expect(await idsOn(page)).toEqual(expected)
      expect(new URL(page.url()).hash).toBe(`#${expected.join(',')}`)
      expect(await page.locator('#line').textContent()).toContain('All finished')
      await follow(page, 'cam_List2/axp_List2')
      await page.locator('#announcer', { hasText: 'Following 1 export' }).waitFor()
      expect(await idsOn(page)).toEqual(expected)
    })

    it('refuses what names no export in words, at the field', async () => {
      const { page, complaints } = await open()
      const field = page.getByLabel('Follow or start an export')
      const fault = page.locator('#add-fault')
      for (const [text, words] of [
        [' ', /^No ids in there/],
        ['cam_List1 cam_List2', /^Those are several campaigns/],
        [`<img src=x onerror=alert(1)>`, /^No ids in there/],
        [`cam_List1/axp_${'a'.repeat(65)}`, /^That names no export/],
      ] as const) {
        await field.fill(text)
        await page.getByRole('button', { name: 'Follow', exact: true }).click()
        await fault.filter({ hasText: words }).waitFor()
        expect(await field.getAttribute('aria-invalid'), text).toBe('true')
        expect(await page.locator('#add-text:focus').count(), text).toBe(1)
      }
      expect(await idsOn(page)).toEqual([])
      expect(complaints).toEqual([])
    })

    it('comes with a link, and grows with the next one', async () => {
      const { page, gateway } = await open('/#cam_List1/axp_List1,cam_List2/axp_List2')
      await page.locator('.state', { hasText: 'Done' }).nth(1).waitFor()
      expect(await idsOn(page)).toEqual(['cam_List1/axp_List1', 'cam_List2/axp_List2'])
      await page.goto(linkTo(gateway.url, [THIRD]))
      await page.locator('.state', { hasText: 'Done' }).nth(2).waitFor()
      expect(await idsOn(page)).toEqual([
        'cam_List2/axp_List3',
        'cam_List1/axp_List1',
        'cam_List2/axp_List2',
      ])
    })

    it('is remembered without the link', async () => {
      const { page, gateway } = await open('/#cam_List1/axp_List1')
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      await page.goto('about:blank')
      await page.goto(gateway.url)
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      expect(await idsOn(page)).toEqual(['cam_List1/axp_List1'])
    })

    it('forgets what is removed, and puts the keyboard at the next', async () => {
      const { page, gateway } = await open('/#cam_List1/axp_List1,cam_List2/axp_List2')
      await page.locator('.state', { hasText: 'Done' }).nth(1).waitFor()
      await page.getByRole('button', { name: /^Remove Name of axp_List1/ }).press('Enter')
      expect(await idsOn(page)).toEqual(['cam_List2/axp_List2'])
      expect(await page.locator('.remove:focus').getAttribute('title')).toBe('Remove')
      await page.keyboard.press('Enter')
      expect(await idsOn(page)).toEqual([])
      expect(await page.locator('#add-text:focus').count()).toBe(1)
      expect(page.url()).toBe(`${gateway.url}/`)
      await page.reload()
      await page.locator('#empty').waitFor()
      expect(await idsOn(page)).toEqual([])
    })

    it('asks no more once nothing is followed', async () => {
      const { page, gateway } = await open()
      const left = page.waitForEvent('requestfailed', (one) => one.url().includes('/events?'))
      gateway.lemlist.add({ campaignId: 'cam_List9', exportId: 'axp_List9', outcome: 'never' })
      await follow(page, 'cam_List9/axp_List9')
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      await page.locator('.remove').click()
      await left
      expect(await page.locator('#line').textContent()).toContain('Idle')
    })

    it('tells readers of states, not of each step', async () => {
      const { page, gateway } = await open()
      const script = { campaignName: 'Told', outcome: 'never', durationMs: 600_000 } as const
      const ref = gateway.lemlist.add(script)
      const heard = await hearNews(page)
      await follow(page, `${ref.campaignId}/${ref.exportId}`)
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      gateway.lemlist.progress(ref.exportId, 1, 9)
      await page.locator('.items', { hasText: '1 of 9' }).waitFor()
      gateway.lemlist.progress(ref.exportId, 2, 9)
      await page.locator('.items', { hasText: '2 of 9' }).waitFor()
      gateway.lemlist.finish(ref.exportId)
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      expect(await heard()).toEqual(['Following 1 export', 'Told: Pending', 'Told: Done'])
    })

    it('says in words why an export was not started', async () => {
      const { page, gateway, complaints } = await open()
      const field = page.getByLabel('Follow or start an export')
      const press = () => page.getByRole('button', { name: 'Start', exact: true }).click()
      await field.fill('hello')
      await press()
      await page.locator('#add-fault', { hasText: 'no id of a campaign' }).waitFor()
      expect(complaints).toEqual([])
      gateway.lemlist.clearCalls()
      gateway.lemlist.script({ operation: 'start' }, { status: 503, headers: {}, body: '' })
      await field.fill('cam_List1')
      await press()
      await page.locator('#add-fault', { hasText: 'lemlist cannot be reached' }).waitFor()
      expect(gateway.lemlist.calls.filter(({ operation }) => operation === 'start')).toHaveLength(1)
    })
  },
)
