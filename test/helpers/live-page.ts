import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { type ExportRef, watchExports } from '../../src/client/client.js'
import type { ExportScript } from '../../src/sandbox/export-book.ts'
import { launchChromium } from './chromium.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { statusBody } from './status-bodies.ts'

/** What a test needs of the live page. */

export interface OpenPage {
  readonly page: Page
  readonly browser: Browser
  /** Whatever the console said, and whatever failed. */
  readonly complaints: readonly string[]
}

export const openPage = async (
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> => {
  const browser = await launchChromium()
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'UTC',
    viewport: { width: 1120, height: 900 },
    ...options,
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', ({ message }) => complaints.push(message))
  await page.goto(url)
  return { page, browser, complaints }
}

/** As much as anybody asks for, as quickly as it can be had. */
export const IN_HASTE = {
  lemlist: { rateLimit: { calls: 1_000_000, windowMs: 2_000 } },
  env: {
    LEMLIST_RATE_LIMIT: '1000000',
    POLL_FIRST_MS: '50',
    POLL_INTERVAL_MS: '50',
    POLL_MAX_INTERVAL_MS: '50',
  },
} as const

/** The link to the page with these exports. */
export const linkTo = (url: string, refs: readonly ExportRef[]): string =>
  `${url}/#${refs.map(({ campaignId, exportId }) => `${campaignId}/${exportId}`).join(',')}`

export interface Stage {
  readonly gateway: TestGateway
  /** By the words that the page has for their states. */
  readonly refs: Readonly<Record<string, ExportRef>>
}

const HOUR_MS = 60 * 60 * 1000
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()

/** A gateway that knows an export in every state that there is. */
export const everyState = async (): Promise<Stage> => {
  const gateway = await startGateway(IN_HASTE)
  const { lemlist } = gateway
  const add = (id: string, campaignName: string, script: ExportScript = {}): ExportRef =>
    lemlist.add({ campaignId: `cam_${id}`, exportId: `axp_${id}`, campaignName, ...script })
  const known = (id: string, state: string, fields: Record<string, unknown>): ExportRef => {
    const ref = { campaignId: `cam_${id}`, exportId: `axp_${id}` }
    lemlist.script(ref, { body: statusBody(state, fields, ref) })
    return ref
  }
  const never = { durationMs: HOUR_MS, outcome: 'never' } as const

  const waiting = add('Qm7LxkT2vSjWn4RcB', 'Waiting')
  lemlist.script(waiting, { hang: true })
  const starting = add('tW9ZpGq3sKcHy6NfD', 'Autumn webinar guests', never)
  const working = add('b4RmsJtP2WyuXh8Ck', 'Spring outreach', {
    ...never,
    total: 1200,
    startedBeforeMs: 73_000,
  })
  lemlist.progress(working.exportId, 744, 1200)
  const troubled = add('fH5YnEa8dQzLw2MvJ', 'Partners, second wave', { ...never, total: 80 })
  lemlist.progress(troubled.exportId, 20, 80)
  const done = known('DqHpWfjd67n2KTj2W', 'done', {
    campaignName: 'Insights outreach',
    startedAt: ago(41_400),
    endedAt: ago(5_000),
    progressIndex: 6,
    progressType: 'done',
    progress: 0,
    total: 0,
    fileSize: 4_812_377,
  })
  const failed = known('aX3KdRm9uTgFs5PyE', 'error', {
    campaignName: 'Old list, unverified',
    progressIndex: 3,
    progressType: 'processing',
    progress: 17,
    total: 52,
  })
  const expired = known('gN6CvBw4hLqYz8JxT', 'done', {
    campaignName: 'Last week',
    startedAt: ago(26 * HOUR_MS),
    endedAt: ago(25 * HOUR_MS),
  })
  const other = known('kP2SfMd7eRaWj9QhX', 'archived', {
    campaignName: 'Something new',
    progressIndex: 2,
    progressType: 'packing',
    total: 0,
  })
  const unknown = { campaignId: 'cam_xZ8GtNc5rKvLb3YwH', exportId: 'axp_xZ8GtNc5rKvLb3YwH' }
  const timedOut = add('yJ4DqTp6mEsHf2ZnC', 'Timed out', never)

  // What can only be seen once it was pending.
  const before = watchExports({ baseUrl: gateway.url, exports: [troubled, timedOut] })
  const first = [await before.next(), await before.next()]
  if (first.some(({ value }) => value?.type !== 'status')) throw new Error('not pending first')
  await before.return()
  lemlist.script(troubled, { status: 503, headers: {}, body: '' })
  lemlist.forget(timedOut.exportId)
  const refs = {
    Waiting: waiting,
    Pending: working,
    Starting: starting,
    Troubled: troubled,
    Done: done,
    Failed: failed,
    Expired: expired,
    '“archived”': other,
    'Not found': unknown,
    'Timed out': timedOut,
  }
  return { gateway, refs }
}
