import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTicket } from '../../src/client/client.js'
import { browserObstacle } from '../helpers/chromium.ts'
import { freePort } from '../helpers/free-port.ts'
import { startGuarded } from '../helpers/guarded-gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { sharedBrowser } from '../helpers/live-page.ts'
import { fencesIn } from '../helpers/markdown.ts'

const obstacle = browserObstacle()
const inBrowser = describe.skipIf(obstacle !== undefined)
const why = obstacle ? ` (${obstacle})` : ''
const project = fileURLToPath(new URL('../../', import.meta.url))
const REF = { campaignId: 'cam_SandboxCampaign01', exportId: 'axp_SandboxSlow000001' }

const openPage = sharedBrowser()

/**
 * A gateway that lets this origin in, and knows one export that is pending until the test ends it. Its
 * streams end soon, and no page waits the seconds that the gateway asks for before the next one.
 */
const startFor = async (origins: string, env: Readonly<Record<string, string>> = {}) => {
  const gateway = await startGuarded({ env: { CORS_ORIGINS: origins, ...env } })
  gateway.lemlist.add({ ...REF, outcome: 'never', fileBytes: 3_000 })
  const { url } = await startHastyProxy(gateway.url)
  return { ...gateway, url }
}

/** Opens a page, and notes the URLs and the credentials that it sends. */
const open = async (url: string) => {
  const { page, complaints } = await openPage('about:blank')
  const asked: string[] = []
  page.on('request', (one) => asked.push(`${one.url()} ${JSON.stringify(one.headers())}`))
  await page.goto(url)
  return { page, complaints, asked }
}
const shows = (page: Page, text: string) => page.locator('#state', { hasText: text }).waitFor()

inBrowser(`the example of another origin${why}`, () => {
  const start = async (letIn: boolean) => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const gateway = await startFor(letIn ? origin : 'https://other.example', {
      SSE_MAX_AGE_MS: '1000',
    })
    const env = {
      PATH: process.env.PATH,
      GATEWAY_URL: gateway.url,
      GATEWAY_KEY: gateway.key,
      EXPORTS: `${REF.campaignId}/${REF.exportId}`,
      PORT: `${port}`,
    }
    const file = join(project, 'examples/other-origin-backend.js')
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const closed = once(child, 'close')
    onTestFinished(async () => {
      child.kill('SIGKILL')
      await closed
    })
    await once(child.stdout, 'data')
    return { ...gateway, ...(await open(`${origin}/`)) }
  }

  it('watches over several streams and downloads, and its page never sees the key', async () => {
    const { page, asked, key, lemlist, complaints } = await start(true)
    await shows(page, 'pending')
    const streams = () => asked.filter((one) => one.includes('/events '))
    await expect.poll(() => streams().length, { timeout: 20_000 }).toBeGreaterThan(2)
    lemlist.finish(REF.exportId)
    await shows(page, 'done')
    const downloading = page.waitForEvent('download')
    await page.getByRole('button', { name: 'Download the CSV' }).click()
    expect(readFileSync(await (await downloading).path())).toHaveLength(3_000)
    expect(asked.filter((one) => one.endsWith('/ticket'))).toHaveLength(0)
    expect(asked.filter((one) => one.includes('/ticket '))).toHaveLength(1)
    expect([...asked, await page.content()].filter((text) => text.includes(key))).toEqual([])
    expect(complaints.filter((line) => !line.includes('ERR_INCOMPLETE_CHUNKED'))).toEqual([])
  })

  it('is not let in when its origin is not in CORS_ORIGINS', async () => {
    const { page, complaints } = await start(false)
    await expect.poll(() => complaints.join()).toContain('blocked by CORS policy')
    expect(await page.locator('#state').textContent()).toBe('Connecting')
  })
})

inBrowser(`the pages in docs/access.md${why}`, () => {
  const pages = fencesIn(readFileSync(join(project, 'docs/access.md'), 'utf8'))
    .filter(({ language }) => language === 'html')
    .map(({ text }) => text)

  /** A site whose backend makes tickets of so many seconds. */
  const startSite = async (ttl: number, body: (gatewayUrl: string) => string) => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const gateway = await startFor(origin, { SSE_MAX_AGE_MS: '1500' })
    let made = 0
    const server = createServer(async ({ method }, response) => {
      if (method !== 'POST') {
        response.setHeader('content-type', 'text/html').end(body(gateway.url))
        return
      }
      made += 1
      const { url: baseUrl, key: apiKey } = gateway
      const ticket = await createTicket({ baseUrl, apiKey, exports: [REF], ttl })
      response.setHeader('content-type', 'application/json').end(JSON.stringify(ticket))
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return { ...gateway, ...(await open(`${origin}/`)), made: () => made }
  }

  it('are two', () => {
    expect(pages).toHaveLength(2)
  })

  it.each([
    ['with the typed client', 0],
    ['with EventSource', 1],
  ] as const)('%s watch on with a new ticket when the first has ended', async (_, index) => {
    const { page, lemlist, made } = await startSite(1, (url) =>
      `<!doctype html>${pages[index]}`.replaceAll('http://127.0.0.1:8080', url),
    )
    await shows(page, 'pending')
    await expect.poll(made, { timeout: 30_000 }).toBeGreaterThan(1)
    lemlist.finish(REF.exportId)
    await shows(page, 'done')
    // A watch asks for a ticket when it needs one, and not in a loop.
    expect(made()).toBeLessThan(10)
  })

  it('with EventSource stops at a refusal', async () => {
    const { page, made } = await startSite(60, (url) =>
      `<!doctype html>${pages[1]}`
        .replaceAll('http://127.0.0.1:8080', url)
        .replaceAll(REF.exportId, 'axp_Other1'),
    )
    await shows(page, 'refuses')
    expect(made()).toBe(1)
  })
})
