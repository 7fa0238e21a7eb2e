import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { createTicket } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGuarded, startIssuer } from '../helpers/guarded-gateway.ts'
import { linkTo, sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const REF = { campaignId: 'cam_SignIn1', exportId: 'axp_SignIn1' }
const STORED = 'JSON.stringify([sessionStorage, localStorage, location.href, history.length])'

describe.skipIf(obstacle !== undefined)(
  `the sign-in of the page${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const openPage = sharedBrowser()

    /** A page that follows one export, and everything that it sends. */
    const open = async (options: Parameters<typeof startGuarded>[0] = {}, apiKey?: string) => {
      const gateway = await startGuarded(options)
      const { lemlist, url } = gateway
      const known = {
        ...REF,
        campaignName: 'Spring',
        outcome: 'never',
        fileBytes: 4_000,
      } as const
      lemlist.add({ ...known, ...(apiKey && { apiKey }) })
      const { page } = await openPage('about:blank')
      const asked: { url: string; headers: Record<string, string> }[] = []
      page.on('request', (one) => asked.push({ url: one.url(), headers: one.headers() }))
      await page.goto(linkTo(url, [REF]))
      await page.locator('#sign-in').waitFor()
      return { ...gateway, page, asked, urls: () => asked.map((one) => one.url) }
    }
    const signIn = async (page: Page, credential: string, account = '') => {
      await page.getByLabel('Key, ticket or token').fill(credential)
      await page.getByLabel('Account, if you have several').fill(account)
      await page.getByRole('button', { name: 'Sign in' }).click()
    }
    const live = (page: Page) => page.locator('#line[data-line=live]').waitFor()

    it('is asked for by a stream, without taking the focus, and then the stream opens', async () => {
      const { page, key } = await open()
      expect(await page.evaluate('document.activeElement.tagName')).toBe('BODY')
      expect(await page.locator('#line-word').textContent()).toBe('Not signed in')
      await signIn(page, key)
      await live(page)
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      expect(await page.locator('#sign-in').count()).toBe(0)
      expect(await page.evaluate('document.activeElement.id')).toBe('add-text')
    })

    it('says what is wrong, and keeps nothing', async () => {
      const { page, asked } = await open()
      await signIn(page, ' ')
      await page.locator('#sign-in-fault', { hasText: 'Paste a key' }).waitFor()
      const before = asked.length
      await signIn(page, `leg_${'x'.repeat(43)}`)
      await page.locator('#sign-in-fault', { hasText: 'does not accept this' }).waitFor()
      expect(await page.evaluate('document.activeElement.id')).toBe('credential')
      expect(asked).toHaveLength(before + 1)
      await signIn(page, 'a line\nfeed and ü€')
      await page.locator('#sign-in-fault', { hasText: 'does not accept this' }).waitFor()
      expect(await page.evaluate('sessionStorage.length')).toBe(0)
    })

    it('keeps the key in this tab, over a reload, and in no address', async () => {
      const { page, key, urls } = await open()
      const before = await page.evaluate<number>('history.length')
      await signIn(page, key)
      await live(page)
      await page.reload()
      await live(page)
      const [session = {}, local = {}, href, length] = JSON.parse(await page.evaluate(STORED))
      expect(JSON.stringify(session)).toContain(key)
      expect(JSON.stringify(local)).not.toContain(key)
      expect([href, length]).toEqual([page.url(), before])
      expect([...urls(), href].filter((url) => url.includes(key))).toEqual([])
    })

    it('downloads with a ticket for this file alone, which is not in the history', async () => {
      const { page, key, lemlist, urls } = await open()
      await signIn(page, key)
      await live(page)
      lemlist.finish(REF.exportId)
      const before = [page.url(), await page.evaluate('history.length')]
      const downloading = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Download CSV' }).click()
      const download = await downloading
      expect(readFileSync(await download.path())).toHaveLength(4_000)
      const { pathname, searchParams } = new URL(download.url())
      expect(pathname).toBe(`/campaigns/${REF.campaignId}/export/${REF.exportId}/file`)
      const [, payload = ''] = (searchParams.get('ticket') ?? '').split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
      expect(claims).toMatchObject({ campaigns: [], scopes: ['file'] })
      expect(claims.exp * 1000 - Date.now()).toBeLessThanOrEqual(61_000)
      expect([page.url(), await page.evaluate('history.length')]).toEqual(before)
      expect(urls().filter((url) => url.includes(key))).toEqual([])
    })

    it('takes a ticket, and uses it for the stream and the file', async () => {
      const { page, key, url, lemlist, urls } = await open()
      const { ticket } = await createTicket({ baseUrl: url, apiKey: key, exports: [REF] })
      await signIn(page, ticket)
      await live(page)
      lemlist.finish(REF.exportId)
      const downloading = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Download CSV' }).click()
      const download = await downloading
      expect(readFileSync(await download.path())).toHaveLength(4_000)
      expect(new URL(download.url()).searchParams.get('ticket')).toBe(ticket)
      expect(urls().filter((one) => one.endsWith('/tickets'))).toEqual([])
    })

    it('takes a token of an OpenID provider, which is in no address, and refuses one that is over', async () => {
      const issuer = await startIssuer()
      const { page, lemlist, urls } = await open({ env: issuer.env })
      await signIn(page, await issuer.token(-60))
      await page.locator('#sign-in-fault', { hasText: 'does not accept this' }).waitFor()
      const token = await issuer.token(600)
      await signIn(page, token)
      await live(page)
      lemlist.finish(REF.exportId)
      const downloading = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Download CSV' }).click()
      expect(readFileSync(await (await downloading).path())).toHaveLength(4_000)
      await page.reload()
      await page.locator('.state', { hasText: 'Done' }).waitFor()
      const [session, local] = JSON.parse(await page.evaluate(STORED))
      expect([JSON.stringify(session), JSON.stringify(local)]).toEqual([
        expect.stringContaining(token),
        expect.not.stringContaining(token),
      ])
      expect([...urls(), page.url()].filter((url) => url.includes(token))).toEqual([])
    })

    it('says why the file did not come when the key does not allow it', async () => {
      const { page, key, lemlist } = await open()
      await signIn(page, key)
      await live(page)
      lemlist.finish(REF.exportId)
      const problem = { code: 'forbidden', status: 403, title: '', detail: '', retryable: false }
      const contentType = 'application/problem+json'
      const refusal = { status: 403, contentType, json: problem }
      await page.route('**/tickets', (route) => route.fulfill(refusal))
      await page.getByRole('link', { name: 'Download CSV' }).click()
      await page.locator('.trouble', { hasText: 'does not allow this' }).waitFor()
    })

    it('stays on the page when the file is refused, so that no ticket is in its address', async () => {
      const { page, key, lemlist, logs } = await open()
      await signIn(page, key)
      await live(page)
      lemlist.finish(REF.exportId)
      await page.route('**/tickets', (route) =>
        route.fulfill({ status: 201, json: { ticket: 'x' } }),
      )
      const before = [page.url(), await page.evaluate('history.length')]
      await page.getByRole('link', { name: 'Download CSV' }).click()
      await expect.poll(logs).toMatch(/\/file[^\n]*401/)
      await page.locator('#line[data-line=complete]').waitFor()
      expect([page.url(), await page.evaluate('history.length')]).toEqual(before)
    })

    it('is asked for by a start, with the focus, and the next press starts one export', async () => {
      const { page, key, lemlist } = await open()
      lemlist.addCampaign('cam_SignIn2')
      await page.getByLabel('Follow or start an export').fill('cam_SignIn2')
      await page.getByRole('button', { name: 'Start', exact: true }).click()
      await page.locator('#credential:focus').waitFor()
      await signIn(page, key)
      await live(page)
      await page.getByRole('button', { name: 'Start', exact: true }).click()
      await page.locator('.card', { hasText: 'cam_SignIn2' }).waitFor()
      expect(lemlist.calls.filter(({ operation }) => operation === 'start')).toHaveLength(1)
    })

    it('ends with Sign out: the browser forgets the key and the page shows no status', async () => {
      const { page, key } = await open()
      await signIn(page, key)
      await page.locator('.state', { hasText: 'Pending' }).waitFor()
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.locator('#sign-in').waitFor()
      expect(await page.locator('.state').textContent()).toBe('Waiting')
      expect(await page.getByRole('button', { name: 'Sign out' }).isVisible()).toBe(false)
      expect(await page.evaluate('sessionStorage.length')).toBe(0)
    })

    it('is asked for again when the gateway does not accept it any more', async () => {
      const { page, key, dismiss } = await open()
      await signIn(page, key)
      await live(page)
      await dismiss()
      // Whatever is followed next opens a new stream.
      await page.getByLabel('Follow or start an export').fill('cam_SignIn1/axp_Other1')
      await page.getByRole('button', { name: 'Follow' }).click()
      await page.locator('#sign-in-fault', { hasText: 'any more' }).waitFor()
      expect(await page.getByRole('button', { name: 'Sign out' }).isVisible()).toBe(false)
      expect(await page.evaluate('sessionStorage.length')).toBe(0)
    })

    it('sends the account that was chosen', async () => {
      // The export belongs to the team of the second account.
      const accounts = { sales: 'key-of-sales', emea: 'key-of-emea' }
      const { page, key, asked } = await open({ accounts }, accounts.emea)
      await signIn(page, key, 'emea')
      await live(page)
      const streams = asked.filter(({ url }) => url.includes('/events?export='))
      expect(streams.map(({ headers }) => headers['x-lemlist-account'])).toEqual([
        undefined,
        'emea',
      ])
    })
  },
)
