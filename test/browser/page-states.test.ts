import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserObstacle, launchChromium } from '../helpers/chromium.ts'
import { linkTo, sharedStage } from '../helpers/live-page.ts'

const obstacle = browserObstacle()

/**
 * What reaches beyond the right edge of the screen. The script is a text because the types of the
 * tests have no `document`.
 */
const overflow = (page: Page) =>
  page.evaluate(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    const wide = [...document.querySelectorAll('body *')]
      // The page clips these elements, so they take no room on the screen.
      .filter((one) => !one.closest('.quiet, .symbols, svg'))
      .filter((one) => one.getBoundingClientRect().right > clientWidth + 0.5)
    return { beyond: scrollWidth - clientWidth, wide: wide.map((one) => one.className) }
  })()`)

describe.skipIf(obstacle !== undefined)(
  `every state of an export on the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const stage = sharedStage()
    const complaints: string[] = []
    const ends: (() => Promise<void>)[] = []
    let shown: Page | undefined

    /** One page with an export in every state, which shows all of them. The tests only look at it. */
    const pageOfAll = (): Page => {
      if (shown === undefined) throw new Error('The page is not open')
      return shown
    }
    const cardOf = (name: string) =>
      pageOfAll().locator('.card', { hasText: stage().refs[name]?.exportId ?? 'none' })

    beforeAll(async () => {
      const browser = await launchChromium((end) => void ends.push(end))
      const page = await browser.newPage({ locale: 'en-GB', timezoneId: 'UTC' })
      page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
      page.on('pageerror', ({ message }) => complaints.push(message))
      const { gateway, refs } = stage()
      await page.goto(linkTo(gateway.url, Object.values(refs)))
      await page.locator('.card', { hasText: 'lemlist cannot be reached' }).waitFor()
      await page.locator('.state', { hasText: 'Pending' }).nth(2).waitFor()
      for (const state of ['Done', 'Failed', 'Expired', '“archived”', 'Not found', 'Timed out']) {
        await page.locator('.state', { hasText: state }).waitFor()
      }
      shown = page
    })
    afterAll(async () => {
      for (const end of ends) await end()
    })

    it('has a name and words, a sign of its own, and no message on the console', async () => {
      const page = pageOfAll()
      const expected = [
        ['Waiting', 'Waiting', 'There is no answer of lemlist yet.'],
        ['Pending', 'Pending', ''],
        ['Starting', 'Pending', ''],
        ['Troubled', 'Pending', 'lemlist cannot be reached. The gateway keeps trying.'],
        ['Done', 'Done', ''],
        ['Failed', 'Failed', 'lemlist says that the export failed.'],
        ['Expired', 'Expired', 'lemlist keeps a file for 24 hours, and they are over.'],
        [
          '“archived”',
          '“archived”',
          'lemlist has not documented this state. The gateway goes on looking.',
        ],
        [
          'Not found',
          'Not found',
          'lemlist does not know this campaign, or you may not see it. Is the id right?',
        ],
        ['Timed out', 'Timed out', 'It was pending for two hours, and lemlist has given it up.'],
      ] as const
      const signs = new Map<string, string | null>()
      for (const [name, state, words] of expected) {
        const card = cardOf(name)
        expect(await card.locator('.state').isVisible(), name).toBe(true)
        expect(await card.locator('.state').textContent(), name).toBe(state)
        expect(await card.locator('.trouble-text').textContent(), name).toBe(words)
        expect(await card.locator('.trouble').isVisible(), name).toBe(words !== '')
        signs.set(state, await card.locator('.token use').getAttribute('href'))
      }
      // "Not found" and "Timed out" have the same sign. Their names tell them apart.
      expect(new Set(signs.values()).size).toBe(signs.size - 1)
      expect(await page.locator('.card').count()).toBe(expected.length)
      expect(complaints).toEqual([])
    })

    it('shows its progress: unknown without a total, full when done', async () => {
      const value = (name: string) => cardOf(name).locator('progress').getAttribute('value')
      expect(await value('Starting')).toBeNull()
      expect(await value('Pending')).toBe('0.4366666666666667')
      expect(await value('Done')).toBe('1')
      expect(await cardOf('Pending').locator('.step-text').textContent()).toBe(
        'Step 3 of 6 · processing',
      )
      expect(await cardOf('Pending').locator('.items').textContent()).toBe('744 of 1,200')
      for (const name of ['Waiting', 'Expired', 'Not found', 'Timed out']) {
        expect(await cardOf(name).locator('.track').isVisible(), name).toBe(false)
      }
      const took = cardOf('Done').locator('[data-fact=elapsed]')
      expect(await took.textContent()).toBe('Duration36 s')
    })

    it('can be downloaded when it is done, and only then', async () => {
      const links = pageOfAll().getByRole('link', { name: /^Download/ })
      expect(await links.count()).toBe(1)
      const { campaignId, exportId } = stage().refs.Done ?? {}
      expect(await cardOf('Done').locator('.download').getAttribute('href')).toMatch(
        new RegExp(`/campaigns/${campaignId}/export/${exportId}/file$`),
      )
    })

    it('can be started again when it is over without a file, but for a campaign that lemlist does not know', async () => {
      const offers: Record<string, boolean> = {}
      for (const name of Object.keys(stage().refs)) {
        offers[name] = await cardOf(name).locator('.restart').isVisible()
      }
      const names = Object.keys(offers).filter((name) => offers[name])
      expect(names).toEqual(['Failed', 'Expired', 'Timed out'])
    })

    it.each([1280, 1120, 700, 390, 360, 320])('fits on %i px', async (width) => {
      const page = pageOfAll()
      await page.setViewportSize({ width, height: 740 })
      expect(await overflow(page)).toEqual({ beyond: 0, wide: [] })
    })

    it('has no empty row on a phone: the state stands beside the signs, the button beside the words', async () => {
      const page = pageOfAll()
      await page.setViewportSize({ width: 390, height: 844 })
      const boxOf = async (name: string, selector: string) => {
        // A card that is not on the screen has no height of its own.
        await cardOf(name).scrollIntoViewIfNeeded()
        const box = await cardOf(name).locator(selector).boundingBox()
        if (box === null) throw new Error(`${name} shows no ${selector}`)
        return { top: box.y, foot: box.y + box.height, height: box.height }
      }
      for (const name of ['Pending', 'Done', 'Failed', 'Expired', 'Not found', 'Timed out']) {
        const [state, signs] = [await boxOf(name, '.state'), await boxOf(name, '.corner')]
        expect(state.top, name).toBeLessThan(signs.foot)
        expect((await boxOf(name, ':scope')).height, name).toBeLessThan(190)
      }
      const [words, button] = [await boxOf('Failed', '.trouble'), await boxOf('Failed', '.restart')]
      expect(button.top).toBeLessThan(words.foot)
    })

    it('moves nothing for those who want it calm', async () => {
      const page = pageOfAll()
      await page.emulateMedia({ reducedMotion: 'reduce' })
      expect(await page.evaluate('document.getAnimations().length')).toBe(0)
    })
  },
)
