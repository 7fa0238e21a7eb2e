import { readFileSync, writeFileSync } from 'node:fs'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { linkTo, sharedBrowser, sharedStage } from '../helpers/live-page.ts'

/**
 * The pictures of the documentation. `npm run docs:screenshots` writes them. A plain test run takes
 * them too, but it compares only their sizes, because letters look different on every machine.
 */
const obstacle = browserObstacle()
const WRITE = process.env.WRITE_SCREENSHOTS === 'true'
/** Everybody who clones the project downloads the pictures. */
const MAX_BYTES = 200_000

const WIDE = { viewport: { width: 1120, height: 1200 } }
const PHONE = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true }

const FOLLOWED = ['Pending', 'Done', 'Failed', 'Troubled'] as const

/** Width and height, which stand at these offsets of every PNG. */
const sizeOf = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)]

describe.skipIf(obstacle !== undefined)(
  `the pictures of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const stage = sharedStage()
    const sandbox = sharedGateway({ readyMade: readyMade() })
    const openPage = sharedBrowser()

    const openFollowed = async (options: BrowserContextOptions): Promise<Page> => {
      const { gateway, refs } = stage()
      const followed = FOLLOWED.flatMap((name) => refs[name] ?? [])
      expect(followed).toHaveLength(FOLLOWED.length)
      const { page } = await openPage(linkTo(gateway.url, followed), options)
      await page.locator('.state', { hasText: 'Failed' }).waitFor()
      await page.locator('.items', { hasText: '744' }).waitFor()
      await page.locator('.trouble', { hasText: 'cannot be reached' }).waitFor()
      return page
    }

    const openEmpty = async (options: BrowserContextOptions): Promise<Page> => {
      const { page } = await openPage(sandbox().url, options)
      await page.locator('.offer').first().waitFor()
      return page
    }

    const PICTURES = [
      ['page-light', openFollowed, WIDE],
      ['page-dark', openFollowed, { ...WIDE, colorScheme: 'dark' }],
      ['page-phone', openFollowed, PHONE, '#exports-title'],
      ['page-sandbox', openEmpty, { viewport: { width: 1120, height: 1120 } }],
    ] as const

    it.each(PICTURES)(
      'docs/%s.png is of the page as it is',
      async (name, open, options, from: string = 'header') => {
        const page = await open(options)
        await page.locator(from).evaluate((node) => node.scrollIntoView())
        // The browser shows each animation at its end, or at its beginning when it has no end.
        const png = await page.screenshot({ animations: 'disabled' })
        const file = new URL(`../../docs/${name}.png`, import.meta.url)
        if (WRITE) writeFileSync(file, png)
        const kept = readFileSync(file)
        expect(sizeOf(kept)).toEqual(sizeOf(png))
        expect(kept.length).toBeLessThan(MAX_BYTES)
      },
    )
  },
)
