import { readFileSync, writeFileSync } from 'node:fs'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { everyState, linkTo, openPage } from '../helpers/live-page.ts'

/**
 * The pictures of the documentation. `npm run docs:screenshots` takes them anew; without it they are taken
 * and compared in nothing but their size, since letters look different on every machine.
 */
const obstacle = browserObstacle()
const WRITE = process.env.WRITE_SCREENSHOTS === 'true'
/** Pictures are in everybody's clone. */
const MAX_BYTES = 200_000

const WIDE = { viewport: { width: 1120, height: 1200 } }
const PHONE = { viewport: { width: 360, height: 780 }, deviceScaleFactor: 2, isMobile: true }

const FOLLOWED = ['Pending', 'Done', 'Failed', 'Troubled'] as const

const openFollowed = async (options: BrowserContextOptions): Promise<Page> => {
  const { gateway, refs } = await everyState()
  const followed = FOLLOWED.flatMap((name) => refs[name] ?? [])
  expect(followed).toHaveLength(FOLLOWED.length)
  const { page } = await openPage(linkTo(gateway.url, followed), options)
  await page.locator('.state', { hasText: 'Failed' }).waitFor()
  await page.locator('.items', { hasText: '744' }).waitFor()
  await page.locator('.trouble', { hasText: 'cannot be reached' }).waitFor()
  return page
}

const openEmpty = async (options: BrowserContextOptions): Promise<Page> => {
  const { url } = await startGateway({ readyMade: readyMade() })
  const { page } = await openPage(url, options)
  await page.locator('.offer').first().waitFor()
  return page
}

const PICTURES = [
  ['page-light', openFollowed, WIDE],
  ['page-dark', openFollowed, { ...WIDE, colorScheme: 'dark' }],
  ['page-phone', openFollowed, PHONE, '#exports-title'],
  ['page-sandbox', openEmpty, { viewport: { width: 1120, height: 1120 } }],
] as const

/** Width and height, as the head of a PNG has them. */
const sizeOf = (png: Buffer) => [png.readUInt32BE(16), png.readUInt32BE(20)]

describe.skipIf(obstacle !== undefined)(
  `the pictures of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    it.each(PICTURES)(
      'docs/%s.png is of the page as it is',
      async (name, open, options, from: string = 'header') => {
        const page = await open(options)
        await page.locator(from).evaluate((node) => node.scrollIntoView())
        // What moves stands still at its end, or at its beginning when it has none.
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
