import { describe, expect, it } from 'vitest'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { sharedBrowser } from '../helpers/live-page.ts'

const obstacle = browserObstacle()

describe.skipIf(obstacle !== undefined)(`Swagger UI${obstacle ? ` (${obstacle})` : ''}`, () => {
  const gateway = sharedGateway({ lemlist: { exports: readyMade() } })
  const openPage = sharedBrowser()

  /** The page, what it complained about, and the origins that it sent requests to. */
  const openDocs = async () => {
    const { url } = gateway()
    const { page } = await openPage('about:blank', { viewport: { width: 1280, height: 1000 } })
    const complaints: string[] = []
    const asked: string[] = []
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
    })
    page.on('pageerror', ({ message }) => complaints.push(message))
    page.on('requestfailed', (request) => complaints.push(`${request.url()} failed`))
    page.on('request', (request) => asked.push(new URL(request.url()).origin))
    await page.goto(`${url}/docs/`)
    await page.locator('#operations-exports-getExportStatus').waitFor()
    return { page, complaints, asked: asked.map((origin) => (origin === url ? 'gateway' : origin)) }
  }

  it('lists every operation, complains of nothing and asks nobody but the gateway', async () => {
    const { page, complaints, asked } = await openDocs()
    const paths = await page.locator('.opblock-summary-path').allTextContents()
    expect(paths.map((path) => path.replaceAll('\u200b', ''))).toEqual(
      expect.arrayContaining([
        '/campaigns/{campaignId}/export/{exportId}/status',
        '/health/live',
        '/openapi.json',
      ]),
    )
    expect(complaints).toEqual([])
    expect(new Set(asked.filter((origin) => origin !== 'null'))).toEqual(new Set(['gateway']))
  })

  it('executes the status: 200 and the JSON of lemlist', async () => {
    const { page, complaints } = await openDocs()
    const done = readyMade().find(({ exportId }) => exportId.includes('Done'))
    if (done === undefined) throw new Error('the sandbox has no finished export')
    const operation = page.locator('#operations-exports-getExportStatus')
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('tr[data-param-name="campaignId"] input').fill(done.campaignId)
    await operation.locator('tr[data-param-name="exportId"] input').fill(done.exportId)
    await operation.getByRole('button', { name: 'Execute' }).click()
    const answer = operation.locator('.live-responses-table')
    await answer.locator('.response-col_status', { hasText: '200' }).waitFor()
    const body = await answer.locator('.highlight-code code').first().textContent()
    expect(JSON.parse(body ?? '')).toMatchObject({
      ok: true,
      status: { id: done.exportId, campaignId: done.campaignId, status: 'done' },
    })
    expect(await answer.textContent()).toContain('cache-status: lemlist-gateway;')
    // Swagger UI sends the example of a header unless the document leaves it out. The example of
    // `Prefer` would make the gateway wait for a change.
    expect(await answer.textContent()).not.toContain('preference-applied')
    expect(complaints).toEqual([])
  })
})
