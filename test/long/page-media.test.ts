import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { IN_HASTE, linkTo, sharedBrowser } from '../helpers/live-page.ts'
import { statusBody } from '../helpers/status-bodies.ts'

const obstacle = browserObstacle()
const CALM = { reducedMotion: 'reduce' } as const
/** What lemlist may send in place of each field but the ids and the state. */
const NOTHING = {
  ...{ campaignName: null, startedAt: null, endedAt: null, url: null, fileSize: null },
  ...{ progressIndex: null, progressTime: null, progressLastStepDuration: null },
  ...{ progressType: null, progress: null, total: null },
}

const findings = async (page: Page) => {
  // The test evaluates axe in the page, because the page's policy forbids another script element.
  await page.evaluate(axe.source)
  const { violations, passes } = await page.evaluate<axe.AxeResults>('axe.run()')
  expect(passes.length).toBeGreaterThan(10)
  return violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target.join(' '))])
}

describe.skipIf(obstacle !== undefined)(
  `the page in every medium${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const shared = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()
    const known = (state: string, fields: Record<string, unknown>) => {
      const ref = shared().lemlist.add({ outcome: 'never' })
      shared().lemlist.script(ref, { body: statusBody(state, fields, ref) })
      return ref
    }
    const open = async (options = {}) => {
      const refs = [
        known('done', { campaignName: 'Spring' }),
        known('pending', { campaignName: 'Autumn' }),
      ]
      const { page } = await openPage(linkTo(shared().url, refs), { ...CALM, ...options })
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      return page
    }

    it('is printed as a list: names, states and times, and nothing to press', async () => {
      const page = await open({ colorScheme: 'dark' })
      await page.emulateMedia({ media: 'print' })
      const shown = (selector: string) =>
        page.evaluate<string[]>(
          `[...document.querySelectorAll('${selector}')].filter((one) => one.checkVisibility()).map((one) => one.innerText)`,
        )
      expect((await shown('.name')).sort()).toEqual(['Autumn', 'Spring'])
      expect((await shown('.state')).sort()).toEqual(['Done', 'Pending'])
      expect(await shown('time')).toHaveLength(2)
      expect(await shown('button, input, a.download')).toEqual([])
      // Ink is black on white, also for somebody who has the dark page on the screen.
      const [ink, paper] = await page.evaluate<[string, string]>(
        "[getComputedStyle(document.querySelector('.name')).color, getComputedStyle(document.body).backgroundColor]",
      )
      const sum = (color: string) =>
        (color.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((total, one) => total + Number(one), 0)
      expect(sum(ink)).toBeLessThan(sum(paper))
    })

    it('draws its signs and bars with lines where somebody chose the colours', async () => {
      const page = await open({ forcedColors: 'active' })
      const widths = await page.evaluate<string[]>(
        "[...document.querySelectorAll('.token, progress, .card')].map((one) => getComputedStyle(one).borderTopWidth)",
      )
      expect(widths).toHaveLength(6)
      expect(widths.filter((width) => width === '0px')).toEqual([])
      expect(await findings(page)).toEqual([])
    })

    it('shows nothing where lemlist sends null', async () => {
      const refs = ['pending', 'done', 'error'].map((state) => known(state, NOTHING))
      const { page } = await openPage(linkTo(shared().url, refs), CALM)
      for (const state of ['Pending', 'Done', 'Failed']) {
        await page.locator('.state', { hasText: state }).waitFor()
      }
      const text = await page.locator('#list').innerText()
      expect(text).not.toMatch(/null|undefined|NaN|Invalid|1970|\b0 (bytes|B|of)\b|of 0/i)
    })

    it.each(['light', 'dark'] as const)(
      'has no fault in a question, a message and a refusal, %s',
      async (colorScheme) => {
        const page = await open({ colorScheme })
        await page.getByRole('button', { name: /^Remove Spring/ }).click()
        await page.locator('#toast', { hasText: 'Spring' }).waitFor()
        expect(await findings(page)).toEqual([])
        await page.getByLabel('Follow or start an export').fill('cam_a/axp_b')
        await page.getByRole('button', { name: 'Start', exact: true }).click()
        await page.locator('#ask[open]').waitFor()
        expect(await findings(page)).toEqual([])
        await page.getByRole('button', { name: 'Cancel' }).click()
        const problem = { code: 'forbidden', status: 403, title: 'No', detail: 'No.' }
        const contentType = 'application/problem+json'
        await page.route('**/events?**', (route) =>
          route.fulfill({ status: 403, contentType, json: { ...problem, retryable: false } }),
        )
        await page.getByLabel('Follow or start an export').fill('cam_a/axp_b')
        await page.getByRole('button', { name: 'Follow', exact: true }).click()
        await page.locator('#line[data-line=refused]').waitFor()
        expect(await findings(page)).toEqual([])
      },
    )
  },
)
