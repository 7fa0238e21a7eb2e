import { createServer } from 'node:http'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AccessOptions } from '../../../src/access/access.ts'
import { createKeyFetch } from '../../../src/access/key-fetch.ts'
import { problemOf, startAccess } from '../../helpers/callers.ts'
import { startConnectProxy } from '../../helpers/connect-proxy.ts'
import { createSigningKey, type SigningKey, startProvider } from '../../helpers/provider.ts'
import { listenUntilTheEnd } from '../../helpers/tls-front.ts'

const CLAIMS = { iss: 'https://id.example.com/', aud: 'gateway', sub: 'alice', exp: 4e9 }

let old: SigningKey
let next: SigningKey
beforeAll(async () => {
  ;[old, next] = await Promise.all([createSigningKey('old'), createSigningKey('next')])
})

const start = async (options: Partial<AccessOptions> = {}) => {
  const provider = await startProvider()
  provider.show(old)
  const jwt = { jwksUrl: provider.url, issuer: CLAIMS.iss, audience: CLAIMS.aud, claimPrefix: '' }
  const troubles: string[] = []
  const gateway = startAccess({
    auth: new Set(['jwt']),
    jwt,
    onTrouble: (error) => troubles.push(String(error)),
    ...options,
  })
  /** `alice`, or the code of the problem. */
  const tell = async (token: string): Promise<string> => {
    try {
      return (await gateway.bearer(token)).name
    } catch {
      return (await problemOf(() => gateway.bearer(token))).code
    }
  }
  /** Another token each time, so that none is known already. */
  let count = 0
  const sign = (by: SigningKey, header = {}): Promise<string> => {
    count += 1
    return by.sign({ ...CLAIMS, jti: String(count) }, header)
  }
  return { provider, troubles, tell, sign, ...gateway }
}

describe('the keys of the provider', () => {
  it('are fetched when the first token comes, and then kept', async () => {
    const { provider, tell, sign } = await start()
    expect(provider.fetches()).toBe(0)
    for (let n = 0; n < 5; n += 1) expect(await tell(await sign(old))).toBe('alice')
    expect(provider.fetches()).toBe(1)
  })

  it('are fetched once for many first tokens', async () => {
    const { provider, tell, sign } = await start()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => sign(old)))
    expect(new Set(await Promise.all(tokens.map(tell)))).toEqual(new Set(['alice']))
    expect(provider.fetches()).toBe(1)
  })

  it('are fetched at most once in 30 s, whatever 1 000 tokens of unknown keys say', async () => {
    const { provider, tell, sign, pass } = await start()
    await tell(await sign(old))
    pass(30_000)
    for (let n = 0; n < 20; n += 1) {
      const tokens = await Promise.all(
        Array.from({ length: 50 }, (_, m) => sign(old, { kid: `unknown-${n}-${m}` })),
      )
      expect(new Set(await Promise.all(tokens.map(tell)))).toEqual(new Set(['unauthenticated']))
      pass(1_400)
    }
    expect(provider.fetches()).toBe(2)
    expect(await tell(await sign(old))).toBe('alice')
    pass(2_000)
    await tell(await sign(old, { kid: 'unknown' }))
    expect(provider.fetches()).toBe(3)
  })

  it('are fetched at most once in 30 s for unknown keys while the provider is away, too', async () => {
    const { provider, tell, sign, pass, troubles } = await start()
    await tell(await sign(old))
    pass(30_000)
    provider.answer('broken')
    for (let n = 0; n < 10; n += 1) {
      expect(await tell(await sign(next))).toBe('unauthenticated')
      pass(2_900)
    }
    expect(provider.fetches()).toBe(2)
    expect(troubles).toHaveLength(1)
  })

  it('that are new are found when a token names them', async () => {
    const { provider, tell, sign, pass } = await start()
    await tell(await sign(old))
    provider.show(old, next)
    expect(await tell(await sign(next))).toBe('unauthenticated')
    pass(30_000)
    expect(await tell(await sign(next))).toBe('alice')
    expect(await tell(await sign(old))).toBe('alice')
  })

  it('that were taken back count no more after the next fetch, for known tokens too', async () => {
    const { provider, tell, sign, pass } = await start()
    const known = await sign(old)
    expect(await tell(known)).toBe('alice')
    provider.show(next)
    pass(30_000)
    expect(await tell(await sign(next))).toBe('alice')
    expect(await tell(known)).toBe('unauthenticated')
  })

  it('are looked at again after ten minutes, while tokens go on being taken', async () => {
    const { provider, tell, sign, pass } = await start()
    const known = await sign(old)
    expect(await tell(known)).toBe('alice')
    provider.show(next)
    pass(600_001)
    expect(await tell(known)).toBe('alice')
    await expect.poll(() => tell(known)).toBe('unauthenticated')
    expect(provider.fetches()).toBe(2)
  })

  it('stay when the provider is away later, for as long as it is', async () => {
    const { provider, tell, sign, pass } = await start()
    await tell(await sign(old))
    for (const answer of [
      'broken',
      { status: 503, text: '' },
      { status: 200, text: '<html>' },
    ] as const) {
      provider.answer(answer)
      const before = provider.fetches()
      pass(3_600_000)
      expect(await tell(await sign(old))).toBe('alice')
      await expect.poll(provider.fetches).toBe(before + 1)
      expect(await tell(await sign(old))).toBe('alice')
    }
  })

  it('are followed when the clock was set back', async () => {
    const { provider, tell, sign, pass } = await start()
    await tell(await sign(old))
    pass(-86_400_000)
    provider.show(next)
    expect(await tell(await sign(next))).toBe('alice')
  })
})

describe('while the keys were never fetched', () => {
  it.each<[string, Parameters<Awaited<ReturnType<typeof startProvider>>['answer']>[0]]>([
    ['breaks the connection', 'broken'],
    ['is in trouble', { status: 500, text: '{"keys":[]}' }],
    ['sends elsewhere', { status: 302, text: '' }],
    ['answers with a page', { status: 200, text: '<html></html>' }],
    ['answers with something else', { status: 200, text: '{"keys":{}}' }],
    ['answers with far too much', { status: 200, text: `{"keys":[]}${' '.repeat(300_000)}` }],
  ])('since the provider %s, a token is not refused but put off: 503', async (_, answer) => {
    const { provider, bearer, sign, troubles } = await start()
    provider.answer(answer)
    const problem = await problemOf(async () => bearer(await sign(old)))
    expect(problem.code).toBe('overloaded')
    expect(problem.message).toBe('The keys that check tokens cannot be fetched.')
    expect(problem.options.retryAfterMs).toBeGreaterThanOrEqual(1_000)
    expect(troubles).toHaveLength(1)
  })

  it('a token that can never be right is refused all the same', async () => {
    const { provider, tell, sign } = await start()
    provider.answer('broken')
    expect(await tell('a.b.c')).toBe('unauthenticated')
    expect(await tell(await sign(old, { alg: 'ES256', crit: ['x'], x: 1 }).catch(() => 'x'))).toBe(
      'unauthenticated',
    )
    expect(provider.fetches()).toBe(0)
  })

  it('they are looked for every 5 s at most, and found as soon as the provider is back', async () => {
    const { provider, tell, sign, pass } = await start()
    provider.answer('broken')
    for (let n = 0; n < 5; n += 1) {
      expect(await tell(await sign(old))).toBe('overloaded')
      pass(1_000)
    }
    expect(provider.fetches()).toBe(1)
    provider.answer('keys')
    expect(await tell(await sign(old))).toBe('alice')
    expect(provider.fetches()).toBe(2)
  })
})

describe('the way to the provider', () => {
  const ask = async (url: string, fetch: ReturnType<typeof createKeyFetch>) => {
    const { status, body } = await fetch(url, {
      headers: {},
      redirect: 'manual',
      signal: AbortSignal.timeout(5_000),
    })
    const chunks: Uint8Array[] = []
    for await (const chunk of body ?? []) chunks.push(chunk)
    return { status, text: Buffer.concat(chunks).toString() }
  }
  const provider = async (): Promise<string> => {
    const server = createServer((_, response) => response.end('the keys'))
    return `http://127.0.0.1:${await listenUntilTheEnd(server)}/jwks`
  }

  it('leads through the proxy where there is one', async () => {
    const proxy = await startConnectProxy({ credentials: 'user:password' })
    const url = await provider()
    const authorization = `Basic ${Buffer.from('user:password').toString('base64')}`
    const fetch = createKeyFetch({ url: new URL(proxy.url), authorization })
    expect(await ask(url, fetch)).toEqual({ status: 200, text: 'the keys' })
    expect(proxy.asked.map(({ authority }) => authority)).toEqual([new URL(url).host])
  })

  it('leads straight there where there is none', async () => {
    expect(await ask(await provider(), createKeyFetch())).toEqual({ status: 200, text: 'the keys' })
  })

  it('leaves no connection open', async () => {
    const server = createServer((_, response) => response.end('the keys'))
    const url = `http://127.0.0.1:${await listenUntilTheEnd(server)}/jwks`
    await ask(url, createKeyFetch())
    await expect
      .poll(() => new Promise((resolve) => server.getConnections((_, count) => resolve(count))))
      .toBe(0)
  })
})
