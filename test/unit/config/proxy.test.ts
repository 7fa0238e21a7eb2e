import { describe, expect, it } from 'vitest'
import { wayTo } from '../../../src/config/proxy.ts'

const LEMLIST = 'https://api.lemlist.com/api'
const PROXY = 'http://proxy.example:3128'
const way = (env: Readonly<Record<string, string>>, url = LEMLIST) => wayTo(new URL(url), env)

describe('the way to lemlist', () => {
  it('is direct without a proxy, and nothing is said about it', () => {
    expect(way({})).toEqual({ kind: 'direct' })
    expect(way({ HTTPS_PROXY: '', NO_PROXY: 'localhost' })).toEqual({ kind: 'direct' })
  })

  it.each([
    ['HTTPS_PROXY', { HTTPS_PROXY: PROXY, HTTP_PROXY: 'http://other:1' }],
    ['https_proxy', { https_proxy: PROXY, HTTPS_PROXY: 'http://other:1' }],
    ['HTTP_PROXY', { HTTP_PROXY: PROXY, HTTPS_PROXY: '' }],
    ['http_proxy', { http_proxy: PROXY, https_proxy: ' ' }],
  ])('is the proxy of %s', (name, env) => {
    const about = `The gateway calls lemlist through the proxy ${PROXY} (${name}).`
    expect(way(env)).toMatchObject({ kind: 'proxy', about, authorization: undefined })
  })

  it('is never the proxy of HTTPS_PROXY for a base URL with http:', () => {
    expect(way({ HTTPS_PROXY: PROXY }, 'http://127.0.0.1:9/api').kind).toBe('direct')
    expect(way({ HTTP_PROXY: PROXY }, 'http://127.0.0.1:9/api').kind).toBe('proxy')
  })

  it.each([
    [PROXY, 'http://proxy.example:3128'],
    ['http://proxy.example', 'http://proxy.example'],
    ['https://proxy.example:3129/', 'https://proxy.example:3129'],
    ['proxy.example:3128', 'http://proxy.example:3128'],
    ['10.1.2.3:3128', 'http://10.1.2.3:3128'],
    ['http://[::1]:3128', 'http://[::1]:3128'],
  ])('takes %s for a proxy', (value, origin) => {
    const found = way({ HTTPS_PROXY: value })
    expect(found.kind === 'proxy' && found.url.origin).toBe(origin)
  })

  it.each([
    ['http://ada:secret@proxy:3128', 'ada:secret'],
    ['http://ada:p%40ss%3Aw%23rd@proxy:3128', 'ada:p@ss:w#rd'],
    ['http://ada:p@ss@proxy:3128', 'ada:p@ss'],
    ['http://ada@proxy:3128', 'ada:'],
    ['ada:secret@proxy:3128', 'ada:secret'],
  ])(
    'decodes the credentials in %s, and keeps them out of the URL and the sentence',
    (value, pair) => {
      const found = way({ HTTPS_PROXY: value })
      const authorization = `Basic ${Buffer.from(pair).toString('base64')}`
      expect(found).toMatchObject({ kind: 'proxy', authorization })
      const { url, about } = found.kind === 'proxy' ? found : { url: '', about: '' }
      expect(`${url} ${about}`).not.toMatch(/ada|secret|p@ss|p%40ss/)
    },
  )

  it.each([
    'socks5://proxy:1080',
    'ftp://proxy',
    'http://?',
    'http://ada:p#ss@proxy:3128',
    'http://ada:p%ss@proxy:3128',
    'http://ada:p/ss@proxy:3128',
    'http://proxy:3128/path',
    'http://proxy:99999',
    'not a proxy',
  ])('is a fault with %s, which is told by name and not by value', (value) => {
    const found = way({ HTTPS_PROXY: value })
    expect(found.kind).toBe('fault')
    const { fault } = found.kind === 'fault' ? found : { fault: '' }
    expect(fault).toMatch(/^HTTPS_PROXY: must be http:\/\/HOST:PORT .*percent-encode/)
    expect(fault).not.toContain(value)
  })

  it('does not judge a proxy that is not used', () => {
    const env = { HTTPS_PROXY: PROXY, HTTP_PROXY: 'socks5://x' }
    expect(way(env).kind).toBe('proxy')
    expect(way({ HTTPS_PROXY: 'socks5://x', NO_PROXY: '*' }).kind).toBe('direct')
  })
})

describe('NO_PROXY', () => {
  it('is told when it leads the calls past the proxy', () => {
    expect(way({ HTTPS_PROXY: PROXY, no_proxy: 'lemlist.com' })).toEqual({
      kind: 'direct',
      about: 'The gateway calls lemlist directly: no_proxy excludes it from HTTPS_PROXY.',
    })
  })

  const EXCLUDING: [string, string][] = [
    ['*', LEMLIST],
    ['api.lemlist.com', LEMLIST],
    ['API.Lemlist.COM', LEMLIST],
    ['lemlist.com', LEMLIST],
    ['.lemlist.com', LEMLIST],
    ['*.lemlist.com', LEMLIST],
    ['com', LEMLIST],
    ['api.lemlist.com.', LEMLIST],
    ['api.lemlist.com', 'https://api.lemlist.com./api'],
    ['api.lemlist.com:443', LEMLIST],
    ['*:443', LEMLIST],
    ['.lemlist.com:8443', 'https://api.lemlist.com:8443/api'],
    ['localhost, ,lemlist.com', LEMLIST],
    ['localhost lemlist.com', LEMLIST],
    ['.lemlist.com', 'https://lemlist.com/api'],
    ['127.0.0.1', 'https://127.0.0.1:8443/api'],
    ['127.0.0.1:8443', 'https://127.0.0.1:8443/api'],
    ['127.0.0.0/8', 'https://127.0.0.1/api'],
    ['10.0.0.0/8,192.168.0.0/16', 'https://192.168.7.9/api'],
    ['::1', 'https://[::1]/api'],
    ['[::1]', 'https://[::1]/api'],
    ['[::1]:8443', 'https://[::1]:8443/api'],
    ['0:0:0:0:0:0:0:1', 'https://[::1]/api'],
    ['fd00::/8', 'https://[fd12::1]/api'],
  ]
  it.each(EXCLUDING)('%s excludes %s', (noProxy, url) => {
    expect(way({ HTTPS_PROXY: PROXY, NO_PROXY: noProxy }, url).kind).toBe('direct')
  })

  const OTHERS: [string, string][] = [
    ['', LEMLIST],
    ['lemlist', LEMLIST],
    ['emlist.com', LEMLIST],
    ['x.api.lemlist.com', LEMLIST],
    ['api.lemlist.com:80', LEMLIST],
    ['*:80', LEMLIST],
    ['*.lemlist.com', 'https://lemlist.com/api'],
    ['*.api.lemlist.com', LEMLIST],
    ['0.1', 'https://127.0.0.1/api'],
    ['10.0.0.0/8', 'https://127.0.0.1/api'],
    ['10.0.0.0/99', 'https://10.0.0.1/api'],
    ['10.0.0.0/x', 'https://10.0.0.1/api'],
    ['[::1]:80', 'https://[::1]/api'],
    ['fd00::/8', 'https://[fe80::1]/api'],
    ['127.0.0.0/8', LEMLIST],
    [',,  ,', LEMLIST],
    ['[', LEMLIST],
    ['.', LEMLIST],
  ]
  it.each(OTHERS)('%s does not exclude %s', (noProxy, url) => {
    expect(way({ HTTPS_PROXY: PROXY, NO_PROXY: noProxy }, url).kind).toBe('proxy')
  })
})
