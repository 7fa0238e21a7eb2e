import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { createTicket } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGuarded, startIssuer } from '../helpers/guarded-gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const REF = { campaignId: 'cam_Swagger1', exportId: 'axp_Swagger1' }
const STATUS = '#operations-exports-getExportStatus'
const FILE = '#operations-exports-downloadExport'

describe.skipIf(obstacle !== undefined)(
  `Authorize in Swagger UI${obstacle ? ` (${obstacle})` : ''}`,
  () => {
    const openPage = sharedBrowser()

    const open = async () => {
      const issuer = await startIssuer()
      const gateway = await startGuarded({ env: issuer.env })
      gateway.lemlist.add({ ...REF, durationMs: 0 })
      const { page, complaints } = await openPage(`${gateway.url}/docs/`)
      const asked: string[] = []
      page.on('request', (one) => asked.push(`${one.url()} ${JSON.stringify(one.headers())}`))
      await page.locator(STATUS).waitFor()
      const { url: baseUrl, key: apiKey } = gateway
      const { ticket } = await createTicket({ baseUrl, apiKey, exports: [REF] })
      const token = await issuer.token(600)
      return { ...gateway, page, complaints, asked, ticket, token }
    }
    /** Fills in one of the ways to prove who calls, by its name in the document. */
    const authorize = async (page: Page, scheme: string, value: string) => {
      await page.getByRole('button', { name: 'Authorize', exact: true }).first().click()
      const form = page.locator('.auth-container', { hasText: new RegExp(`^\\s*${scheme}\\s*\\(`) })
      const logout = page
        .locator('.auth-container')
        .getByRole('button', { name: 'Remove authorization' })
      while ((await logout.count()) > 0) await logout.first().click()
      await form.locator('input').fill(value)
      await form.getByRole('button', { name: 'Apply credentials' }).click()
      await form.getByRole('button', { name: 'Close' }).click()
    }
    const fillIn = async (page: Page, selector: string) => {
      const operation = page.locator(selector)
      await operation.locator('.opblock-summary-control').click()
      await operation.locator('tr[data-param-name="campaignId"] input').fill(REF.campaignId)
      await operation.locator('tr[data-param-name="exportId"] input').fill(REF.exportId)
    }
    /** The status of the answer to the request that Execute sends. */
    const execute = async (page: Page, selector: string) => {
      const answering = page.waitForResponse(/\/campaigns\//)
      await page.locator(selector).getByRole('button', { name: 'Execute' }).click()
      return (await answering).status()
    }

    // One page for all: to load Swagger UI costs seconds.
    it('makes a status work with a key, a ticket or a token, and a file with a ticket in the query', async () => {
      const opened = await open()
      const { page, asked, ticket } = opened
      await fillIn(page, STATUS)
      expect(await execute(page, STATUS)).toBe(401)
      for (const [scheme, credential] of [
        ['bearer', 'key'],
        ['apiKey', 'key'],
        ['bearer', 'ticket'],
        ['bearer', 'token'],
      ] as const) {
        await authorize(page, scheme, opened[credential])
        expect([scheme, credential, await execute(page, STATUS)]).toEqual([scheme, credential, 200])
        expect(asked.at(-1)).toContain(opened[credential])
      }
      await authorize(page, 'ticket', ticket)
      await fillIn(page, FILE)
      expect([200, 206]).toContain(await execute(page, FILE))
      expect(asked.at(-1)).toContain(`/file?ticket=${ticket}`)
    })
  },
)
