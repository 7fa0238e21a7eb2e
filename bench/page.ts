import { setTimeout as delay } from 'node:timers/promises'
import { type CDPSession, chromium, type Page } from 'playwright-core'
import { createLemlist } from '../src/sandbox/lemlist.ts'
import { chromiumPath } from '../test/helpers/chromium.ts'
import { linkTo } from '../test/helpers/live-page.ts'
import { median, print } from './processes.ts'
import { startServer } from './server.ts'

/**
 * Measures the live page in Chromium: how soon its first card says what lemlist says, and what 100 cards
 * cost that change each second.
 */

const CARDS = 100
const LOADS = 7
const SETTLE_MS = 5_000
const RUN_MS = 20_000
const SIZE = { width: 1280, height: 900 }
/** Every export gets news each second. */
const EACH_SECOND = {
  POLL_FIRST_MS: '1000',
  POLL_INTERVAL_MS: '1000',
  POLL_MAX_INTERVAL_MS: '1000',
}

/** Runs in the page before its own scripts. */
const WATCH = `
  globalThis.firstMs = undefined
  globalThis.shifts = 0
  new MutationObserver(() => {
    const card = document.querySelector('.card:not([data-state=waiting])')
    if (card) globalThis.firstMs ??= performance.now()
  }).observe(document, { subtree: true, childList: true, attributeFilter: ['data-state'] })
  new PerformanceObserver((list) => {
    for (const { value } of list.getEntries()) globalThis.shifts += value
  }).observe({ type: 'layout-shift', buffered: true })`

/** Processor time of the tab's main thread and of its whole process so far, seconds. */
const cpuOf = async (session: CDPSession) => {
  const { metrics } = await session.send('Performance.getMetrics')
  const of = (wanted: string): number => metrics.find(({ name }) => name === wanted)?.value ?? 0
  return { main: of('ThreadTime') || of('TaskDuration'), process: of('ProcessTime') }
}

const firstCardMs = async (page: Page, address: string): Promise<number> => {
  await page.goto('about:blank')
  await page.goto(address)
  await page.locator('.card:not([data-state=waiting])').first().waitFor()
  return page.evaluate<number>('globalThis.firstMs')
}

/** What the page costs while it is open, for `RUN_MS`. */
const sample = async (page: Page) => {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.evaluate('globalThis.shifts = 0')
  const textsOf = () =>
    page.evaluate<string[]>(
      "[...document.querySelectorAll('.items')].map((one) => one.textContent)",
    )
  const [before, textsBefore] = [await cpuOf(session), await textsOf()]
  await delay(RUN_MS)
  const [after, textsAfter] = [await cpuOf(session), await textsOf()]
  const share = (from: number, to: number): string =>
    `${(((to - from) * 100_000) / RUN_MS).toFixed(1)} %`
  return {
    changed: textsAfter.filter((text, index) => text !== textsBefore[index]).length,
    main: share(before.main, after.main),
    process: share(before.process, after.process),
    shifts: await page.evaluate<number>('globalThis.shifts'),
  }
}

export const measurePage = async (): Promise<void> => {
  const executablePath = chromiumPath()
  if (executablePath === undefined)
    return print('The live page: not measured, for want of Chromium')
  const lemlist = createLemlist({ rateLimit: { calls: 1_000_000, windowMs: 2_000 } })
  const baseUrl = await lemlist.listen()
  const server = await startServer('gateway.ts', {
    ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL: baseUrl, STORE_URL: 'memory:' },
    ...{ LEMLIST_RATE_LIMIT: '1000000', LOG_LEVEL: 'warn', ...EACH_SECOND },
  })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
  try {
    const context = await browser.newContext({ viewport: SIZE })
    await context.addInitScript(WATCH)
    const page = await context.newPage()
    // In lemlist's first step no progress is shown.
    const running = { durationMs: 3_600_000, startedBeforeMs: 900_000, total: 100_000 }
    const refs = Array.from({ length: CARDS }, () => lemlist.add(running))
    const one = linkTo(server.url, refs.slice(0, 1))
    const loads: number[] = []
    while (loads.length < LOADS) loads.push(await firstCardMs(page, one))
    const crowd = await firstCardMs(page, linkTo(server.url, refs))
    await delay(SETTLE_MS)
    const { changed, main, process, shifts } = await sample(page)
    print(`The live page, ${SIZE.width} x ${SIZE.height}:`)
    print(`  first card with a status: ${median(loads).toFixed(0)} ms, median of ${LOADS} loads`)
    print(`  the same with ${CARDS} exports: ${crowd.toFixed(0)} ms`)
    print(`  ${changed} of ${CARDS} cards changed, each about once a second:`)
    print(`    ${main} of a core on the tab's main thread`)
    print(`    ${process} of a core in the tab's whole process`)
    print(`    layout shift: ${shifts}`)
  } finally {
    await browser.close()
    await server.end()
    await lemlist.close()
  }
}
