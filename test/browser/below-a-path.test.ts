import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { downloadUrl, startExport, watchExport } from '../../src/client/client.js'
import { findProgram, NGINX, startWith } from '../helpers/balancers.ts'
import { browserObstacle } from '../helpers/chromium.ts'
import { startGateway } from '../helpers/gateway.ts'
import { IN_HASTE, sharedBrowser } from '../helpers/live-page.ts'
import { fencesIn } from '../helpers/markdown.ts'

/** The gateway below a path of nginx, with the lines that docs/operations.md shows. */

const CAMPAIGN = 'cam_Below1'
const OPERATIONS = new URL('../../docs/operations.md', import.meta.url)
const [lines, ...others] = fencesIn(readFileSync(OPERATIONS, 'utf8')).filter(
  ({ language }) => language === 'nginx',
)

const startBelow = async (env: Readonly<Record<string, string>> = {}) => {
  const gateway = await startGateway({
    env: { ...IN_HASTE.env, ...env },
    lemlist: { ...IN_HASTE.lemlist, started: { durationMs: 300, fileBytes: 5_000 } },
  })
  gateway.lemlist.addCampaign(CAMPAIGN, 'Below a path')
  const text = lines?.text.replace('gateway:8080', new URL(gateway.url).host) ?? ''
  const nginx = await startWith(
    NGINX,
    (port, log) =>
      `events {}\nhttp {\naccess_log ${log};\nserver {\nlisten 127.0.0.1:${port};\n${text}}\n}\n`,
  )
  return { ...gateway, origin: nginx.url, url: `${nginx.url}/lemlist` }
}

const missing = findProgram('nginx') === undefined ? 'no nginx' : browserObstacle()

describe(`below a path of nginx${missing ? ` (${missing})` : ''}`, () => {
  const openPage = sharedBrowser()
  if (missing !== undefined) {
    // On a machine of one's own this is a visible skip; where the word of the tests counts, it is a failure.
    it.skipIf(process.env.CI !== 'true')(`is not tried: ${missing}`, () => {
      expect(missing).toBeUndefined()
    })
    return
  }

  it('docs/operations.md shows one configuration', () => {
    expect([lines?.text, others]).toEqual([expect.stringContaining('location /lemlist/ {'), []])
  })

  // Regression: `Location` and `Link` began with a slash, which left the path.
  it('a start leads to its status, its events and its file', async () => {
    const { url } = await startBelow()
    const begun = await fetch(`${url}/campaigns/${CAMPAIGN}/export/start`, { method: 'POST' })
    expect(begun.status).toBe(201)
    const linked = (answer: Response, rel: string): string => {
      const [, target = ''] =
        new RegExp(`<([^>]*)>; rel="${rel}"`).exec(answer.headers.get('link') ?? '') ?? []
      return new URL(target, answer.url).href
    }
    const status = new URL(begun.headers.get('location') ?? '', begun.url).href
    expect(status).toMatch(new RegExp(`^${url}/campaigns/${CAMPAIGN}/export/axp_\\w+/status$`))
    const events = await fetch(linked(begun, 'monitor'))
    expect(await events.text()).toContain('event: end')
    const done = await fetch(status)
    expect(linked(done, 'monitor')).toBe(events.url)
    const file = await fetch(linked(done, 'enclosure'))
    expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([200, 5_000])
  })

  it('a status links to the file below the path of PUBLIC_URL', async () => {
    const env = { FILE_URLS: 'gateway', PUBLIC_URL: 'https://gw.example.com/lemlist/' }
    const { url: baseUrl } = await startBelow(env)
    const { id: exportId } = await startExport({ baseUrl, campaignId: CAMPAIGN })
    const urls: unknown[] = []
    for await (const { status } of watchExport({ baseUrl, campaignId: CAMPAIGN, exportId })) {
      urls.push(status.url)
    }
    const path = `campaigns/${CAMPAIGN}/export/${exportId}/file`
    expect(urls.at(-1)).toBe(`https://gw.example.com/lemlist/${path}`)
    expect(downloadUrl({ baseUrl, campaignId: CAMPAIGN, exportId })).toBe(`${baseUrl}/${path}`)
  })

  it('the page starts an export, follows it and offers its file', async () => {
    const { origin, url } = await startBelow()
    const { page, complaints } = await openPage(`${url}/`)
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.getByLabel('Follow or start an export').fill(CAMPAIGN)
    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.locator('.card .state', { hasText: 'Done' }).waitFor()
    const downloading = page.waitForEvent('download')
    await page.getByRole('link', { name: /^Download CSV of Below a path/ }).click()
    expect((await downloading).url()).toMatch(new RegExp(`^${url}/campaigns/.*/file$`))
    expect(asked.length).toBeGreaterThan(1)
    expect(asked.filter((to) => to.startsWith(origin) && !to.startsWith(`${url}/`))).toEqual([])
    expect(complaints).toEqual([])
  })

  // Regression: Swagger UI took its files and sent its requests to the root of the host.
  it('Swagger UI tries out a start', async () => {
    const { origin, url } = await startBelow()
    const { page } = await openPage('about:blank')
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(`${url}/docs?a=b`)
    const operation = page.locator('#operations-exports-startExport')
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('tr[data-param-name="campaignId"] input').fill(CAMPAIGN)
    await operation.locator('tr[data-param-name="idempotency-key"] input').fill('')
    await operation.getByRole('button', { name: 'Execute' }).click()
    const answer = operation.locator('.live-responses-table')
    await answer.locator('.response-col_status', { hasText: '201' }).waitFor()
    expect(asked).toContain(`${url}/campaigns/${CAMPAIGN}/export/start`)
    expect(asked.filter((to) => to.startsWith(origin) && !to.startsWith(`${url}/`))).toEqual([])
    expect(page.url()).toMatch(new RegExp(`^${url}/docs/(#.*)?$`))
  })

  // The test above shows that Swagger UI works at this one address. To load it costs seconds.
  it.each(['/docs', '/docs/', '/docs/?a=b', '/docs/static/index.html'])(
    'Swagger UI at %s is at /docs/ in the end',
    async (path) => {
      const { url } = await startBelow()
      const answer = await fetch(url + path)
      expect([answer.status, answer.url]).toEqual([200, `${url}/docs/`])
      expect(await answer.text()).toContain('swagger-ui')
    },
  )

  it('each OpenAPI document names the root of the gateway', async () => {
    const { url } = await startBelow()
    for (const path of ['/openapi.json', '/docs/json']) {
      const answer = await fetch(url + path)
      const { servers } = JSON.parse(await answer.text())
      expect(
        servers.map((server: { url: string }) => new URL(server.url, answer.url).href),
      ).toEqual([`${url}/`])
    }
    const yaml = await (await fetch(`${url}/openapi.yaml`)).text()
    expect(yaml).toMatch(/^servers:\n {2}- url: \.\n/m)
  })
})
