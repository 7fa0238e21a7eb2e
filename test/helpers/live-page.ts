import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { type ExportRef, watchExports } from '../../src/client/client.js'
import type { ExportScript } from '../../src/sandbox/export-book.ts'
import { launchChromium } from './chromium.ts'
import { sharedGateway, type TestGateway } from './gateway.ts'
import { statusBody } from './status-bodies.ts'

export interface OpenPage {
  readonly page: Page
  /** Every message on the page's console, and every error that no script caught. */
  readonly complaints: readonly string[]
}

export type OpenPageAt = (url: string, options?: BrowserContextOptions) => Promise<OpenPage>

/**
 * One browser for all tests of a file. Call this where the suites are declared. The function that
 * it returns opens a page in a new context, which shares no storage and no cache with other tests.
 * The context ends with the test.
 */
export const sharedBrowser = (): OpenPageAt => {
  let browser: Promise<Browser> | undefined
  const ends: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const end of ends) await end()
  })
  return async (url, options = {}) => {
    browser ??= launchChromium((end) => void ends.push(end))
    const context = await (await browser).newContext({
      locale: 'en-GB',
      timezoneId: 'UTC',
      viewport: { width: 1120, height: 900 },
      ...options,
    })
    onTestFinished(() => context.close())
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`))
    page.on('pageerror', ({ message }) => complaints.push(message))
    await page.goto(url)
    return { page, complaints }
  }
}

/** lemlist limits no calls, and the gateway looks every 50 ms. */
export const IN_HASTE = {
  lemlist: { rateLimit: { calls: 1_000_000, windowMs: 2_000 } },
  env: {
    LEMLIST_RATE_LIMIT: '1000000',
    POLL_FIRST_MS: '50',
    POLL_INTERVAL_MS: '50',
    POLL_MAX_INTERVAL_MS: '50',
  },
} as const

/** The address of the page that follows these exports. */
export const linkTo = (url: string, refs: readonly ExportRef[]): string =>
  `${url}/#${refs.map(({ campaignId, exportId }) => `${campaignId}/${exportId}`).join(',')}`

/**
 * Listens to what the page announces, as a screen reader does.
 *
 * @returns a function that resolves to everything that was announced since
 */
export const hearNews = async (page: Page): Promise<() => Promise<string[]>> => {
  await page.evaluate(`
    globalThis.heard = []
    new MutationObserver((all) => heard.push(...all.flatMap((one) => [...one.addedNodes].map((node) => node.textContent))))
      .observe(document.querySelector('#announcer'), { childList: true })
  `)
  return () => page.evaluate<string[]>('heard')
}

export interface Stage {
  readonly gateway: TestGateway
  /** The keys are the page's names of the states; `Starting` and `Troubled` are pending, too. */
  readonly refs: Readonly<Record<string, ExportRef>>
}

const HOUR_MS = 60 * 60 * 1000
/** lemlist never answers for the waiting export. It must not time out before the tests end. */
const PATIENT = String(HOUR_MS)
const ago = (ms: number) => new Date(Date.now() - ms).toISOString()

/**
 * One gateway for all tests of a file. It knows an export in every state that the page shows. Call
 * this where the suites are declared.
 */
export const sharedStage = (): (() => Stage) => {
  const gateway = sharedGateway({
    ...IN_HASTE,
    env: { ...IN_HASTE.env, LEMLIST_TIMEOUT_MS: PATIENT },
  })
  let refs: Stage['refs'] = {}
  let end = async () => {}
  beforeAll(async () => {
    const filled = await fill(gateway())
    refs = filled.refs
    end = filled.end
  })
  afterAll(() => end())
  return () => ({ gateway: gateway(), refs })
}

const fill = async ({ lemlist, url }: TestGateway) => {
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

  // An export can have trouble beside its status, or time out, only after the gateway saw it
  // pending. The first stream stays open, so that the gateway keeps the status for later pages.
  const kept = watchExports({ baseUrl: url, exports: [troubled] })
  const brief = watchExports({ baseUrl: url, exports: [timedOut] })
  const first = [await kept.next(), await brief.next()]
  if (first.some(({ value }) => value?.type !== 'status')) throw new Error('not pending first')
  await brief.return()
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
  return { refs, end: async () => void (await kept.return()) }
}
