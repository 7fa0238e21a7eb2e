import { readFileSync, writeFileSync } from 'node:fs'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { getStatus } from '../../src/client/client.js'
import { readyMade, SEEN_CAMPAIGN, seenExports } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { startGuarded } from '../helpers/guarded-gateway.ts'
import { IN_HASTE, linkTo, sharedBrowser, sharedStage } from '../helpers/live-page.ts'

/**
 * The pictures of the documentation. `npm run docs:screenshots` writes them. A plain test run takes
 * them too, but it compares only their sizes, because letters look different on every machine.
 *
 * With `SCREENSHOTS_TO=folder` the page is also taken with 0, 1, 12 and 100 exports, in every state,
 * at four sizes, light and dark, for whoever changes its looks.
 */
const obstacle = browserObstacle()
const WRITE = process.env.WRITE_SCREENSHOTS === 'true'
const FOLDER = process.env.SCREENSHOTS_TO
/** Everybody who clones the project downloads the pictures. */
const MAX_BYTES = 200_000

const WIDE = { viewport: { width: 1280, height: 900 } }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true }
const SIZES = {
  desk: WIDE,
  phone: { viewport: { width: 390, height: 844 } },
  tablet: { viewport: { width: 768, height: 1024 } },
  small: { viewport: { width: 320, height: 640 } },
} as const

/** Width and height, which stand at these offsets of every PNG. */
const sizeOf = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)]

describe.skipIf(obstacle !== undefined)(
  `the pictures of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const stage = sharedStage()
    const sandbox = sharedGateway({
      readyMade: [...readyMade(), SEEN_CAMPAIGN],
      lemlist: { exports: seenExports() },
    })
    const crowd = sharedGateway(IN_HASTE)
    const openPage = sharedBrowser()

    const openFollowed = async (options: BrowserContextOptions): Promise<Page> => {
      const { gateway, refs } = stage()
      const { page } = await openPage(linkTo(gateway.url, Object.values(refs)), options)
      await page.locator('.state', { hasText: 'Timed out' }).waitFor()
      await page.locator('.items', { hasText: '744' }).waitFor()
      await page.locator('.trouble', { hasText: 'cannot be reached' }).waitFor()
      return page
    }

    const openEmpty = async (options: BrowserContextOptions): Promise<Page> => {
      const { page } = await openPage(sandbox().url, options)
      await page.locator('.offer').first().waitFor()
      return page
    }

    const openCampaign = async (options: BrowserContextOptions): Promise<Page> => {
      const { url: baseUrl } = sandbox()
      for (const ref of seenExports()) await getStatus({ baseUrl, ...ref })
      const { page } = await openPage(`${baseUrl}/#${SEEN_CAMPAIGN.campaignId}`, options)
      await page.locator('.items', { hasText: 'of 2,400' }).waitFor()
      await page.locator('#line[data-line=live]').waitFor()
      return page
    }

    const openMany = async (count: number, options: BrowserContextOptions): Promise<Page> => {
      const { lemlist, url } = crowd()
      const names = ['Spring outreach', 'Webinar guests', 'Partners', 'Trial users, week 3']
      const refs = Array.from({ length: count }, (_, index) =>
        lemlist.add({
          campaignId: `cam_Crowd${index % 7}`,
          exportId: `axp_Crowd${count}x${index}`,
          campaignName: names[index % 4] ?? '',
          ...(index % 3 > 0 ? { durationMs: 0 } : { outcome: 'never', durationMs: 600_000 }),
        }),
      )
      const { page } = await openPage(linkTo(url, refs), options)
      await page
        .locator('.card')
        .nth(count - 1)
        .waitFor()
      await expect.poll(() => page.locator('[data-state=waiting]').count()).toBe(0)
      return page
    }

    const openAway = async (options: BrowserContextOptions): Promise<Page> => {
      const page = await openFollowed(options)
      await page.route(/ready-made|events/, () => {})
      await page.locator('#line[data-line=away]').waitFor({ timeout: 20_000 })
      return page
    }

    const openRefused = async (options: BrowserContextOptions): Promise<Page> => {
      const { gateway, refs } = stage()
      const { page } = await openPage('about:blank', options)
      const detail = 'This caller may not read the exports of the account east.'
      const body = JSON.stringify({
        title: 'Forbidden',
        status: 403,
        code: 'forbidden',
        retryable: false,
        detail,
      })
      await page.route(/\/events\?/, (route) =>
        route.fulfill({ status: 403, contentType: 'application/problem+json', body }),
      )
      await page.goto(linkTo(gateway.url, Object.values(refs)))
      await page.locator('#line[data-line=refused]').waitFor()
      return page
    }

    const openSignedOut = async (options: BrowserContextOptions): Promise<Page> => {
      const { url } = await startGuarded()
      const { page } = await openPage(linkTo(url, Object.values(stage().refs)), options)
      await page.locator('#sign-in').waitFor()
      return page
    }

    const openQuestion = async (options: BrowserContextOptions): Promise<Page> => {
      const page = await openMany(12, options)
      await page.getByLabel('Follow or start an export').fill('cam_Crowd1/axp_Crowd12x1')
      await page.getByRole('button', { name: 'Start', exact: true }).click()
      await page.locator('#ask[open]').waitFor()
      return page
    }

    const openMessage = async (options: BrowserContextOptions): Promise<Page> => {
      const page = await openMany(12, options)
      await page.getByRole('button', { name: 'Clear finished' }).click()
      await page.locator('#toast').waitFor()
      return page
    }

    const PICTURES = [
      ['page-light', openFollowed, WIDE],
      ['page-dark', openFollowed, { ...WIDE, colorScheme: 'dark' }],
      ['page-phone', openFollowed, PHONE],
      ['page-sandbox', openEmpty, WIDE],
      ['page-campaign', openCampaign, WIDE],
    ] as const

    it.each(PICTURES)('docs/%s.png is of the page as it is', async (name, open, options) => {
      const page = await open(options)
      const png = await page.screenshot()
      const file = new URL(`../../docs/${name}.png`, import.meta.url)
      if (WRITE) writeFileSync(file, png)
      const kept = readFileSync(file)
      expect(sizeOf(kept)).toEqual(sizeOf(png))
      expect(kept.length).toBeLessThan(MAX_BYTES)
    })

    const SCENES = {
      states: openFollowed,
      away: openAway,
      refused: openRefused,
      'signed-out': openSignedOut,
      question: openQuestion,
      message: openMessage,
      empty: openEmpty,
      campaign: openCampaign,
      one: (options: BrowserContextOptions) => openMany(1, options),
      twelve: (options: BrowserContextOptions) => openMany(12, options),
      hundred: (options: BrowserContextOptions) => openMany(100, options),
    }
    // Nothing checks these pictures, so a plain run does not even count them as skipped.
    const scenes = FOLDER === undefined ? [] : Object.entries(SCENES)
    const every = scenes.flatMap(([scene, open]) =>
      Object.entries(SIZES).flatMap(([size, options]) =>
        (['light', 'dark'] as const).map((colorScheme) => ({
          scene,
          open,
          size,
          options,
          colorScheme,
        })),
      ),
    )
    it.each(every)(
      'the page: $scene, $size, $colorScheme',
      async ({ scene, open, size, options, colorScheme }) => {
        const page = await open({ ...options, colorScheme })
        await page.screenshot({ path: `${FOLDER}/${scene}-${size}-${colorScheme}.png` })
      },
      30_000,
    )
  },
)
