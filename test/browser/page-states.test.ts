import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { browserObstacle } from '../helpers/chromium.ts'
import { linkTo, sharedBrowser, sharedStage } from '../helpers/live-page.ts'

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
    const openPage = sharedBrowser()

    /** The page with an export in every state, as soon as it shows all of them. */
    const openAll = async (options = {}) => {
      const { gateway, refs } = stage()
      const opened = await openPage(linkTo(gateway.url, Object.values(refs)), options)
      const { page } = opened
      await page.locator('.card', { hasText: 'lemlist cannot be reached' }).waitFor()
      await page.locator('.state', { hasText: 'Pending' }).nth(2).waitFor()
      for (const state of ['Done', 'Failed', 'Expired', '“archived”', 'Not found', 'Timed out']) {
        await page.locator('.state', { hasText: state }).waitFor()
      }
      const cardOf = (name: keyof typeof refs) =>
        page.locator('.card', { hasText: refs[name]?.exportId ?? 'none' })
      return { ...opened, refs, cardOf }
    }

    it('has a name and words, a sign of its own, and no message on the console', async () => {
      const { page, cardOf, complaints } = await openAll()
      const expected = [
        ['Waiting', 'Waiting', 'There is no answer of lemlist yet.'],
        ['Pending', 'Pending', ''],
        ['Starting', 'Pending', ''],
        ['Troubled', 'Pending', 'lemlist cannot be reached. The gateway keeps trying.'],
        ['Done', 'Done', ''],
        ['Failed', 'Failed', 'lemlist says that the export failed. Start a new one.'],
        [
          'Expired',
          'Expired',
          'lemlist keeps a file for 24 hours, and they are over. Start a new export.',
        ],
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
        [
          'Timed out',
          'Timed out',
          'It was pending for two hours, and lemlist has given it up. Start a new one.',
        ],
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
      const { cardOf } = await openAll()
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
      const { page, cardOf, refs } = await openAll()
      const links = page.getByRole('link', { name: /^Download/ })
      expect(await links.count()).toBe(1)
      const { campaignId, exportId } = refs.Done ?? {}
      expect(await cardOf('Done').locator('.download').getAttribute('href')).toMatch(
        new RegExp(`/campaigns/${campaignId}/export/${exportId}/file$`),
      )
    })

    it.each([
      ['light, at 1120 px', { viewport: { width: 1120, height: 900 } }],
      ['dark, at 700 px', { viewport: { width: 700, height: 900 }, colorScheme: 'dark' }],
      ['a phone of 360 px', { viewport: { width: 360, height: 740 }, isMobile: true }],
      ['a small phone of 320 px', { viewport: { width: 320, height: 640 } }],
    ])('fits: %s', async (_, options) => {
      const { page } = await openAll(options)
      expect(await overflow(page)).toEqual({ beyond: 0, wide: [] })
    })

    it('moves nothing for those who want it calm', async () => {
      const { page } = await openAll({ reducedMotion: 'reduce' })
      const moving = await page.evaluate('document.getAnimations().length')
      expect(moving).toBe(0)
    })
  },
)
