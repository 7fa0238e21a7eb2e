import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { createTicket } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGuarded, startIssuer } from '../helpers/guarded-gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()
const REF = { campaignId: 'cam_Swagger1', exportId: 'axp_Swagger1' }
const STATUS = '#operations-exports-getExportStatus'

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
      await form.locator('input').fill(value)
      await form.getByRole('button', { name: 'Apply credentials' }).click()
      await form.getByRole('button', { name: 'Close' }).click()
    }
    const execute = async (page: Page, selector: string) => {
      const operation = page.locator(selector)
      await operation.locator('.opblock-summary-control').click()
      await operation.locator('tr[data-param-name="campaignId"] input').fill(REF.campaignId)
      await operation.locator('tr[data-param-name="exportId"] input').fill(REF.exportId)
      await operation.getByRole('button', { name: 'Execute' }).click()
      const status = operation.locator('.live-responses-table .response-col_status').last()
      await status.waitFor()
      return status.innerText()
    }

    it('is needed: without it the status is refused', async () => {
      const { page } = await open()
      expect(await execute(page, STATUS)).toMatch(/^401/)
    })

    it.each([
      ['bearer', 'key'],
      ['apiKey', 'key'],
      ['bearer', 'ticket'],
      ['bearer', 'token'],
    ] as const)('makes the status work: %s with a %s', async (scheme, credential) => {
      const opened = await open()
      await authorize(opened.page, scheme, opened[credential])
      expect(await execute(opened.page, STATUS)).toMatch(/^200/)
    })

    it('makes the file work with a ticket in the query', async () => {
      const { page, ticket, asked } = await open()
      await authorize(page, 'ticket', ticket)
      expect(await execute(page, '#operations-exports-downloadExport')).toMatch(/^20[06]/)
      expect(asked.at(-1)).toContain(`/file?ticket=${ticket}`)
    })
  },
)
