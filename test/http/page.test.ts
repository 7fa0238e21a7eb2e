import { readdirSync, readFileSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { listExports } from '../../src/client/client.js'
import { sandbox } from '../../src/sandbox/main.ts'
import { readyMade, SEEN_CAMPAIGN } from '../../src/sandbox/ready-made.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { sharedGateway, startGateway } from '../helpers/gateway.ts'

const FOLDER = fileURLToPath(new URL('../../src/page/', import.meta.url))
/** Every file of the page, by its name in the folder. */
const FILES = readdirSync(FOLDER, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => relative(FOLDER, join(parentPath, name)).replaceAll(sep, '/'))
const source = (name: string) => readFileSync(join(FOLDER, name), 'utf8')
const pathOf = (name: string) => (name === 'index.html' ? '/' : `/page/${name}`)

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}
/** A file with more lines holds more than one idea. */
const MOST_LINES: Readonly<Record<string, number>> = { '.js': 200, '.css': 250 }

const SCRIPTS = FILES.filter((name) => name.endsWith('.js'))
const STYLES = FILES.filter((name) => name.endsWith('.css'))

describe('the files of src/page', () => {
  it('are some scripts and styles, the HTML and the icon', () => {
    expect(FILES).toEqual(
      expect.arrayContaining(['index.html', 'page.js', 'list.js', 'styles/base.css', 'icon.svg']),
    )
  })

  it.each([...SCRIPTS, ...STYLES])('%s is short enough to read in one go', (name) => {
    const lines = source(name).split('\n').length - 1
    expect(lines).toBeLessThanOrEqual(MOST_LINES[extname(name)] ?? 0)
  })

  it('are loaded by the HTML: the styles each once, the scripts ahead of their imports', () => {
    const html = source('index.html')
    const hrefs = (rel: string) =>
      [...html.matchAll(new RegExp(`<link rel="${rel}" href="([^"]+)"`, 'g'))].map(([, to]) => to)
    expect(hrefs('stylesheet').toSorted()).toEqual(STYLES.map((name) => `page/${name}`).toSorted())
    const imported = SCRIPTS.filter((name) => name !== 'page.js').map((name) => `page/${name}`)
    expect(hrefs('modulepreload').toSorted()).toEqual(['client.js', ...imported].toSorted())
  })
})

describe('the live page', () => {
  const gateway = sharedGateway({ readyMade: readyMade() })
  const get = (path: string, init?: RequestInit) => fetch(gateway().url + path, init)

  it.each(FILES)('%s is served as it is in the source', async (name) => {
    const response = await get(pathOf(name))
    const type = response.headers.get('content-type')
    expect([response.status, type]).toEqual([200, TYPES[extname(name)]])
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    expect(await response.text()).toBe(source(name))
  })

  it('is kept by a browser that has it', async () => {
    const etag = (await get('/')).headers.get('etag') ?? ''
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await get('/', { method, headers: { 'if-none-match': etag } })
      expect([status, headers.get('etag'), headers.get('content-length')]).toEqual([
        304,
        etag,
        null,
      ])
    }
  })

  it('lets nothing run and nothing be spoken to but the gateway', async () => {
    const { headers } = await get('/')
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  it('has no script and no style in its HTML', async () => {
    const html = await (await get('/')).text()
    expect(html).toContain('<script type="module" src="page/page.js"></script>')
    expect(html.match(/<script/g)).toHaveLength(1)
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/)
  })

  it('names every part of it relative to itself, for gateways behind a path', async () => {
    const html = await (await get('/')).text()
    const links = [...html.matchAll(/(?:src|href)="([^"#][^"]*)"/g)].map(([, link]) => link)
    expect(links.length).toBeGreaterThan(5)
    expect(links.filter((link) => /^(\/|https?:)/.test(link ?? ''))).toEqual([])
  })

  it('is told what there is to look at', async () => {
    const offers = readyMade().map(({ title, campaignId, exportId }) => ({
      title,
      campaignId,
      exportId,
    }))
    expect(offers.length).toBeGreaterThan(2)
    expect(await (await get('/page/ready-made.json')).json()).toEqual(offers)
  })
})

it('outside the sandbox there is nothing ready to look at', async () => {
  const { url } = await startGateway()
  expect(await (await fetch(`${url}/page/ready-made.json`)).json()).toEqual([])
})

it('the sandbox names the page first, and offers what it prints', async () => {
  const host = fakeHost({ env: { PORT: '0' } })
  await sandbox(host)
  const [, page = '', next] =
    /^ +Live page +(http:\S+\/)\n(.*)/m.exec(host.printed.join('\n')) ?? []
  expect(next).toContain('Swagger UI')
  expect(await (await fetch(page)).text()).toContain('<!doctype html>')
  const offered = await (await fetch(new URL('page/ready-made.json', page))).json()
  expect(offered).toHaveLength(readyMade().length + 1)
  const { campaignId } = SEEN_CAMPAIGN
  expect(offered).toContainEqual(SEEN_CAMPAIGN)
  const { exports } = await listExports({ baseUrl: page.replace(/\/$/, ''), campaignId })
  expect(exports.map(({ state }) => state)).toEqual(['pending', 'done', 'error'])
})

describe('with DOCS=false', () => {
  const gateway = sharedGateway({ env: { DOCS: 'false' } })

  it.each([...FILES, 'ready-made.json'])('%s is a 404 problem', async (name) => {
    const response = await fetch(gateway().url + pathOf(name))
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not-found' })
  })

  it('the client is still served', async () => {
    expect((await fetch(`${gateway().url}/client.js`)).status).toBe(200)
  })
})
