import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { sandbox } from '../../src/sandbox/main.ts'
import { readyMade } from '../../src/sandbox/ready-made.ts'
import { fakeHost } from '../helpers/fake-host.ts'
import { sharedGateway, startGateway } from '../helpers/gateway.ts'

const PARTS = ['/', '/page/page.css', '/page/page.js', '/page/icon.svg', '/page/ready-made.json']

describe('the live page', () => {
  const gateway = sharedGateway({ readyMade: readyMade() })
  const get = (path: string, init?: RequestInit) => fetch(gateway().url + path, init)

  it.each([
    ['/', 'text/html; charset=utf-8', 'index.html'],
    ['/page/page.css', 'text/css; charset=utf-8', 'page.css'],
    ['/page/page.js', 'text/javascript; charset=utf-8', 'page.js'],
    ['/page/icon.svg', 'image/svg+xml', 'icon.svg'],
  ])('%s is %s, as it is in the source', async (path, type, name) => {
    const response = await get(path)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type])
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const source = readFileSync(new URL(`../../src/page/${name}`, import.meta.url), 'utf8')
    expect(await response.text()).toBe(source)
  })

  it('is kept by a browser that has it', async () => {
    const etag = (await get('/')).headers.get('etag') ?? ''
    expect((await get('/', { headers: { 'if-none-match': etag } })).status).toBe(304)
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
  expect(offered).toHaveLength(readyMade().length)
})

describe('with DOCS=false', () => {
  const gateway = sharedGateway({ env: { DOCS: 'false' } })

  it.each(PARTS)('%s is a 404 problem', async (path) => {
    const response = await fetch(gateway().url + path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'not-found' })
  })

  it('the client is still served', async () => {
    expect((await fetch(`${gateway().url}/client.js`)).status).toBe(200)
  })
})
