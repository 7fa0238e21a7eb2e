import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { startGuarded } from '../helpers/guarded-gateway.ts'
import { linkTo, sharedBrowser, sharedStage } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const SCHEMES = ['light', 'dark'] as const

/** Every finding of axe, also the minor ones. */
const findings = async (page: Page) => {
  // The test evaluates axe in the page, because the page's policy forbids another script element.
  await page.evaluate(axe.source)
  const { violations, passes } = await page.evaluate<axe.AxeResults>('axe.run()')
  expect(passes.length).toBeGreaterThan(10)
  return violations.map(({ id, impact, nodes }) => ({
    id,
    impact,
    targets: nodes.map(({ target }) => target.join(' ')),
  }))
}

describe.skipIf(obstacle !== undefined)(
  `accessibility of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const stage = sharedStage()
    const sandbox = sharedGateway({ readyMade: readyMade() })
    const openPage = sharedBrowser()

    it.each(SCHEMES)('axe finds nothing with every state, %s', async (colorScheme) => {
      const { gateway, refs } = stage()
      const options = { colorScheme, reducedMotion: 'reduce' } as const
      const { page } = await openPage(linkTo(gateway.url, Object.values(refs)), options)
      await page.locator('.card', { hasText: 'lemlist cannot be reached' }).waitFor()
      await page.locator('.state', { hasText: 'Timed out' }).waitFor()
      await page.locator('.state', { hasText: 'Not found' }).waitFor()
      expect(await findings(page)).toEqual([])
    })

    it.each(SCHEMES)(
      'axe finds nothing on the empty page of the sandbox and on a campaign, %s',
      async (colorScheme) => {
        const { page } = await openPage(sandbox().url, { colorScheme, reducedMotion: 'reduce' })
        await page.locator('.offer').first().waitFor()
        await page.getByLabel('Follow or start an export').fill('cam_A/axp')
        await page.getByRole('button', { name: 'Follow', exact: true }).click()
        await page.locator('#add-fault', { hasText: 'names no export' }).waitFor()
        expect(await findings(page)).toEqual([])
        await page.getByLabel('Follow or start an export').fill('cam_SandboxCampaign01')
        await page.getByRole('button', { name: 'Follow', exact: true }).click()
        await page.locator('#line[data-line=live]').waitFor()
        expect(await page.locator('#campaign').isVisible()).toBe(true)
        expect(await findings(page)).toEqual([])
      },
    )

    it.each(SCHEMES)('axe finds nothing on the form to sign in, %s', async (colorScheme) => {
      const { url } = await startGuarded()
      const ref = { campaignId: 'cam_Axe1', exportId: 'axp_Axe1' }
      const { page } = await openPage(linkTo(url, [ref]), { colorScheme, reducedMotion: 'reduce' })
      await page.locator('#sign-in').waitFor()
      expect(await findings(page)).toEqual([])
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.locator('#sign-in-fault', { hasText: 'Paste a key' }).waitFor()
      expect(await findings(page)).toEqual([])
    })

    it('somebody can sign in and out by keyboard', async () => {
      const { url, key } = await startGuarded()
      const ref = { campaignId: 'cam_Axe1', exportId: 'axp_Axe1' }
      const { page } = await openPage(linkTo(url, [ref]))
      await page.locator('#sign-in').waitFor()
      const focused = () => page.evaluate<string>('document.activeElement.id')
      const stops: string[] = []
      for (let stop = 0; stop < 4; stop += 1) {
        await page.keyboard.press('Tab')
        stops.push(await focused())
      }
      // The first stop is the link to the exports, and the last one the button of the form.
      expect(stops).toEqual(['', 'credential', 'account', ''])
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.type(key)
      await page.keyboard.press('Enter')
      await page.locator('#add-text:focus').waitFor()
      await page.keyboard.press('Shift+Tab')
      expect(await focused()).toBe('sign-out')
      await page.keyboard.press('Enter')
      await page.locator('#sign-in').waitFor()
    })

    it('everything can be reached by keyboard, in the order in which it is read', async () => {
      const { gateway, refs } = stage()
      const { page } = await openPage(linkTo(gateway.url, refs.Done ? [refs.Done] : []))
      await page.locator('.download').waitFor()
      const names: string[] = []
      for (let stop = 0; stop < 20; stop += 1) {
        await page.keyboard.press('Tab')
        names.push(
          await page.evaluate<string>(
            'document.activeElement.textContent.trim() || document.activeElement.id',
          ),
        )
        if (names.at(-1) === 'typed client') break
      }
      expect(names.map((name) => name.split(/ (?:of|to)? ?Insights/)[0])).toEqual([
        'Skip to the exports',
        'add-text',
        'Follow',
        'Start',
        'All 1',
        'Running 0',
        'Ready 1',
        'Failed 0',
        'Clear finished',
        'Download CSV',
        'Copy link',
        'Remove',
        'HTTP API',
        'OpenAPI',
        'typed client',
      ])
    })
  },
)
