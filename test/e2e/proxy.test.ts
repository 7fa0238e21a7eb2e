import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { hasOpenssl, makeSignedCertificate } from '../helpers/certificate.ts'
import { startConnectProxy } from '../helpers/connect-proxy.ts'
import { KEY, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway } from '../helpers/process.ts'
import { startProgram } from '../helpers/program.ts'
import { CAMPAIGN, isStart, start, startedIn } from '../helpers/starts.ts'
import { tlsFront } from '../helpers/tls-front.ts'

/** A gateway as a process of its own in the network of a company: a proxy, and an authority. */

const CREDENTIALS = 'ada:hush-hush'
const IN_URL = 'ada:hush%2Dhush'
const SECRETS = /hush|aHVzaC1odXNo|YWRhOmh1c2/

const company = async () => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  lemlist.addCampaign(CAMPAIGN)
  onTestFinished(() => lemlist.close())
  const certificate = makeSignedCertificate('IP:127.0.0.1')
  const proxy = await startConnectProxy({ credentials: CREDENTIALS })
  const env = {
    LEMLIST_API_KEY: KEY,
    LEMLIST_BASE_URL: await tlsFront(certificate, await lemlist.listen()),
    HTTPS_PROXY: proxy.url.replace('//', `//${IN_URL}@`),
    STORE_URL: 'memory:',
  }
  return { lemlist, proxy, env, authorityFile: certificate.authorityFile }
}

describe.skipIf(!hasOpenssl())('in the network of a company', () => {
  // Regression: HTTPS_PROXY was ignored without a word, so the gateway could not reach lemlist.
  it('a start and its status go through the proxy, and the log names it without credentials', async () => {
    const { lemlist, proxy, env, authorityFile } = await company()
    const gateway = await spawnGateway({ ...env, NODE_EXTRA_CA_CERTS: authorityFile })
    const started = await start(gateway, { key: 'k-1' })
    expect(started.status).toBe(201)
    expect((await fetch(gateway.url + statusPath(startedIn(started)))).status).toBe(200)
    expect(lemlist.calls.length).toBeGreaterThan(1)
    const { host } = new URL(env.LEMLIST_BASE_URL)
    expect(new Set(proxy.asked.map(({ authority }) => authority))).toEqual(new Set([host]))
    await gateway.end('SIGTERM')
    expect(gateway.output()).toContain(
      `"proxy":"${proxy.url}","msg":"the gateway calls lemlist through a proxy"`,
    )
    expect(gateway.output()).not.toMatch(SECRETS)
  })

  it('an authority that the gateway does not know takes no key, and no request leaves', async () => {
    const { lemlist, proxy, env } = await company()
    const gateway = await spawnGateway(env)
    for (let round = 0; round < 2; round += 1) {
      const answer = await start(gateway, { key: 'k-1' })
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([503, 'upstream-unavailable'])
    }
    expect(proxy.asked).toHaveLength(2)
    expect(lemlist.calls.filter(isStart)).toEqual([])
  })

  it('wrong credentials for the proxy take no key, and the log says why', async () => {
    const { lemlist, env, authorityFile } = await company()
    const HTTPS_PROXY = env.HTTPS_PROXY.replace(IN_URL, 'ada:hush')
    const gateway = await spawnGateway({ ...env, HTTPS_PROXY, NODE_EXTRA_CA_CERTS: authorityFile })
    for (let round = 0; round < 2; round += 1) {
      const answer = await start(gateway, { key: 'k-1' })
      expect([answer.status, JSON.parse(answer.text).code]).toEqual([503, 'upstream-unavailable'])
    }
    await gateway.end('SIGTERM')
    expect(gateway.output()).toContain('the proxy answered CONNECT with status 407')
    expect(gateway.output()).not.toMatch(SECRETS)
    expect(lemlist.calls).toEqual([])
  })
})

describe('check-config', () => {
  const check = async (env: Readonly<Record<string, string>>) => {
    const { ended, out, err } = startProgram('main.ts', {
      env: { LEMLIST_API_KEY: KEY, ...env },
      args: ['--check-config'],
    })
    return { code: await ended, text: out() + err() }
  }

  it('names the proxy without its credentials', async () => {
    const { code, text } = await check({ HTTPS_PROXY: `http://${IN_URL}@proxy.example:3128` })
    expect(code).toBe(0)
    expect(text).toContain('through the proxy http://proxy.example:3128 (HTTPS_PROXY).')
    expect(text).not.toMatch(SECRETS)
  })

  it('says that NO_PROXY leads the calls past the proxy', async () => {
    const { text } = await check({ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '.lemlist.com' })
    expect(text).toContain('directly: NO_PROXY excludes it from HTTPS_PROXY.')
  })

  it('refuses a proxy that it cannot use, by name and without its value', async () => {
    const { code, text } = await check({ HTTPS_PROXY: 'http://ada:hush#hush@proxy:3128' })
    expect(code).toBe(78)
    expect(text).toContain('HTTPS_PROXY: must be http://HOST:PORT')
    expect(text).not.toMatch(SECRETS)
  })
})

describe('the sandbox', () => {
  it('works in the network of a company, without its proxy', async () => {
    const proxy = await startConnectProxy()
    const { says } = startProgram('sandbox/main.ts', {
      env: { PORT: '0', HTTP_PROXY: proxy.url, http_proxy: proxy.url, HTTPS_PROXY: 'nonsense:' },
    })
    const [, url = ''] = await says(/Live page +(http:\S+\d)/)
    const ref = { campaignId: 'cam_SandboxCampaign01', exportId: 'axp_SandboxDone000001' }
    expect((await fetch(url + statusPath(ref))).status).toBe(200)
    expect(proxy.asked).toEqual([])
    expect(proxy.plain()).toBe(0)
  })
})
