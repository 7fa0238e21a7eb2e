import { createHmac } from 'node:crypto'
import { exportSPKI, importJWK, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AccessOptions } from '../../../src/access/access.ts'
import { problemOf, startAccess, TICKET_SECRET } from '../../helpers/callers.ts'
import { createSigningKey, type SigningKey, startProvider } from '../../helpers/provider.ts'

const NOW = Date.parse('2026-11-26T10:00:00Z') / 1_000
const CLAIMS = {
  iss: 'https://id.example.com/',
  aud: 'gateway',
  sub: 'alice',
  exp: NOW + 300,
}

let key: SigningKey
let rsa: SigningKey
beforeAll(async () => {
  key = await createSigningKey('k1')
  rsa = await createSigningKey('r1', 'RS256')
})

const start = async (options: Partial<AccessOptions> = {}, claimPrefix = '') => {
  const provider = await startProvider()
  provider.show(key, rsa)
  const jwt = { jwksUrl: provider.url, issuer: CLAIMS.iss, audience: CLAIMS.aud, claimPrefix }
  return { provider, ...startAccess({ auth: new Set(['jwt']), jwt, ...options }) }
}

const refusal = async (token: string): Promise<string> => {
  const { bearer } = await start()
  return (await problemOf(() => bearer(token))).code
}

describe('a JWT', () => {
  it('is its caller, with all scopes in the only account', async () => {
    const { bearer } = await start()
    expect(await bearer(await key.sign(CLAIMS))).toEqual({
      name: 'alice',
      id: 'jwt:alice',
      proof: 'jwt',
      accounts: ['default'],
      campaigns: undefined,
      exports: new Set(),
      scopes: new Set(['status', 'start', 'file']),
    })
  })

  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'])(
    'may be signed with %s',
    async (alg) => {
      const { bearer, provider } = await start()
      const own = await createSigningKey('own', alg)
      provider.show(own)
      expect((await bearer(await own.sign(CLAIMS))).name).toBe('alice')
    },
  )

  it.each(['ES512', 'Ed25519'])('is refused with %s, which is not in the list', async (alg) => {
    const { bearer, provider } = await start()
    const own = await createSigningKey('own', alg)
    provider.show(own)
    const problem = await problemOf(async () => bearer(await own.sign(CLAIMS)))
    expect(problem.options.cause).toEqual(new Error('ERR_JOSE_ALG_NOT_ALLOWED'))
  })

  it('may be for several audiences', async () => {
    const { bearer } = await start()
    expect((await bearer(await key.sign({ ...CLAIMS, aud: ['other', 'gateway'] }))).name).toBe(
      'alice',
    )
  })

  it('may be up to 30 s early or late, since clocks differ', async () => {
    const { bearer } = await start()
    await bearer(await key.sign({ ...CLAIMS, exp: NOW - 29 }))
    await bearer(await key.sign({ ...CLAIMS, nbf: NOW + 30 }))
  })

  it('is verified once and then known until it ends', async () => {
    const gateway = await start()
    const token = await key.sign(CLAIMS)
    const first = await gateway.bearer(token)
    const again = gateway.authenticator.authenticate({ kind: 'bearer', value: token })
    expect(again).toEqual(first)
    gateway.pass(329_000)
    expect((await gateway.bearer(token)).name).toBe('alice')
    gateway.pass(1_000)
    expect((await problemOf(() => gateway.bearer(token))).code).toBe('unauthenticated')
  })

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['has expired', { exp: NOW - 30 }],
    ['has no end', { exp: undefined }],
    ['ends in words', { exp: 'tomorrow' }],
    ['is not valid yet', { nbf: NOW + 31 }],
    ['has another issuer', { iss: 'https://evil.example.com/' }],
    ['has an issuer that only begins the same', { iss: `${CLAIMS.iss}x` }],
    ['has no issuer', { iss: undefined }],
    ['is for another audience', { aud: 'other' }],
    ['is for no audience', { aud: undefined }],
    ['is for audiences without the gateway', { aud: ['other', 'gateway2'] }],
    ['has no subject', { sub: undefined }],
    ['has an empty subject', { sub: '' }],
    ['has a subject that would break a line of the log', { sub: 'a\nb' }],
    ['has a subject of 256 characters', { sub: 'a'.repeat(256) }],
    ['has a number as its subject', { sub: 7 }],
    ['has a number as its scope', { scope: 7 }],
    ['has nothing as its scope', { scp: { status: true } }],
    ['has an account that is no list', { accounts: 'default' }],
    ['has null as its accounts', { accounts: null }],
    ['has campaigns that are no list', { campaigns: 'cam_A' }],
    ['has null as its campaigns', { campaigns: null }],
    ['has campaigns that are no strings', { campaigns: [7] }],
  ])('is refused when it %s', async (_, claims) => {
    expect(await refusal(await key.sign({ ...CLAIMS, ...claims }))).toBe('unauthenticated')
  })

  it('is refused with the algorithm none', async () => {
    const [, body] = (await key.sign(CLAIMS)).split('.')
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = Buffer.from(JSON.stringify({ alg, kid: 'k1' })).toString('base64url')
      expect(await refusal(`${header}.${body}.`), alg).toBe('unauthenticated')
    }
  })

  it('is refused when it is signed with HS256 and the public key as its secret', async () => {
    // A verifier that takes the algorithm from the token would use the public key as the secret.
    const publicKey = await importJWK(rsa.jwk, 'RS256')
    if (publicKey instanceof Uint8Array) throw new Error('no public key')
    const header = Buffer.from('{"alg":"HS256","kid":"r1"}').toString('base64url')
    const body = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url')
    const pem = await exportSPKI(publicKey)
    for (const secret of [pem, pem.trim(), JSON.stringify(rsa.jwk), rsa.jwk.n ?? '']) {
      const signature = createHmac('sha256', secret).update(`${header}.${body}`).digest('base64url')
      expect(await refusal(`${header}.${body}.${signature}`)).toBe('unauthenticated')
    }
  })

  it('is refused when it is signed with the secret of tickets', async () => {
    const token = await new SignJWT(CLAIMS)
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(TICKET_SECRET.reveal()))
    expect(await refusal(token)).toBe('unauthenticated')
  })

  it('is refused when another key has signed it under the same name', async () => {
    const thief = await createSigningKey('k1')
    expect(await refusal(await thief.sign(CLAIMS))).toBe('unauthenticated')
    // The header may offer a key of its own (RFC 8725, 3.9).
    const offered = await thief.sign(CLAIMS, { jwk: thief.jwk, jku: 'https://evil.example.com/' })
    expect(await refusal(offered)).toBe('unauthenticated')
  })

  it('is refused when its body was changed', async () => {
    const [header, , signature] = (await key.sign(CLAIMS)).split('.')
    const body = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'bob' })).toString('base64url')
    expect(await refusal(`${header}.${body}.${signature}`)).toBe('unauthenticated')
  })

  it('is refused when the key is of the same provider and of another kind', async () => {
    expect(await refusal(await key.sign(CLAIMS, { kid: 'r1' }))).toBe('unauthenticated')
  })

  it('is no key', async () => {
    const { ask } = await start()
    const value = await key.sign(CLAIMS)
    expect((await problemOf(() => ask({ kind: 'key', value }))).code).toBe('unauthenticated')
    expect((await problemOf(() => ask({ kind: 'ticket', value }))).code).toBe('unauthenticated')
  })

  it('that is refused tells the log why, and nothing of what it says', async () => {
    const { bearer } = await start()
    const problem = await problemOf(async () => bearer(await key.sign({ ...CLAIMS, aud: 'other' })))
    expect(problem.options.cause).toEqual(
      new Error('ERR_JWT_CLAIM_VALIDATION_FAILED: the claim aud'),
    )
    expect(JSON.stringify(problem.options)).not.toContain('alice')
  })
})

describe('the scopes of a JWT', () => {
  it.each<[unknown, unknown, readonly string[]]>([
    [undefined, undefined, ['status', 'start', 'file']],
    ['status file', undefined, ['status', 'file']],
    ['openid exports:status exports:start', undefined, ['status', 'start']],
    ['openid profile', undefined, []],
    ['', undefined, []],
    ['status,file', undefined, []],
    ['STATUS other:file', undefined, []],
    [undefined, ['exports:file', 'openid'], ['file']],
    [undefined, [], []],
    [undefined, 'exports:file status', ['status', 'file']],
    ['status', ['file'], ['status']],
  ])('with scope %j and scp %j are %j', async (scope, scp, scopes) => {
    const { bearer } = await start()
    const caller = await bearer(await key.sign({ ...CLAIMS, scope, scp }))
    expect([...caller.scopes]).toEqual(scopes)
  })
})

describe('the accounts and campaigns of a JWT', () => {
  const two = ['sales', 'emea']

  it('are those of its claims', async () => {
    const { bearer } = await start({ accounts: () => two })
    const claims = { ...CLAIMS, accounts: ['emea', 'sales', 'emea'], campaigns: ['cam_A'] }
    const caller = await bearer(await key.sign(claims))
    expect(caller.accounts).toEqual(['emea', 'sales'])
    expect(caller.campaigns).toEqual(new Set(['cam_A']))
  })

  it('stand under the prefix where one is set', async () => {
    const { bearer } = await start({ accounts: () => two }, 'https://g.example.com/')
    const claims = {
      ...CLAIMS,
      'https://g.example.com/accounts': ['emea'],
      'https://g.example.com/campaigns': [],
      accounts: ['sales'],
      campaigns: ['cam_A'],
    }
    const caller = await bearer(await key.sign(claims))
    expect(caller.accounts).toEqual(['emea'])
    expect(caller.campaigns).toEqual(new Set())
  })

  it('leave out accounts that there are not', async () => {
    const { bearer } = await start({ accounts: () => two })
    const caller = await bearer(await key.sign({ ...CLAIMS, accounts: ['gone', 'sales'] }))
    expect(caller.accounts).toEqual(['sales'])
  })

  it.each([[undefined], [[]], [['gone']]])('when they are %j open nothing: 403', async (names) => {
    const { bearer } = await start({ accounts: () => two })
    const token = await key.sign({ ...CLAIMS, accounts: names })
    // The second time the token is known already.
    for (const time of ['first', 'second']) {
      expect((await problemOf(() => bearer(token))).code, time).toBe('forbidden')
    }
  })

  it('follow the accounts that there are now', async () => {
    let names = ['sales']
    const { bearer } = await start({ accounts: () => names })
    const token = await key.sign(CLAIMS)
    expect((await bearer(token)).accounts).toEqual(['sales'])
    names = ['sales', 'emea']
    expect((await problemOf(() => bearer(token))).code).toBe('forbidden')
  })
})

describe('the caller of a JWT', () => {
  it('never has the id of a caller of the access file, or of another subject', async () => {
    const { bearer } = await start()
    const ids = new Set<string>()
    const subjects = ['crm', 'key:crm', 'anonymous', 'a/b', 'a%2Fb', 'auth0|7', 'é']
    for (const sub of subjects) {
      const { id, name } = await bearer(await key.sign({ ...CLAIMS, sub }))
      expect(name).toBe(sub)
      expect(id).toMatch(/^jwt:[^/:|\s]+$/)
      ids.add(id)
    }
    expect(ids.size).toBe(subjects.length)
  })

  it('makes tickets, whose holder has his name and only what they name', async () => {
    const { bearer, tickets, ask } = await start()
    const alice = await bearer(await key.sign({ ...CLAIMS, sub: 'a|é', campaigns: ['cam_A'] }))
    const foreign = await problemOf(() => tickets.make(alice, 'default', { campaigns: ['cam_B'] }))
    expect(foreign.code).toBe('campaign-not-found')
    const { ticket } = await tickets.make(alice, 'default', { exports: ['cam_A/axp_1'] })
    expect(await ask({ kind: 'ticket', value: ticket })).toMatchObject({
      name: 'a|é',
      id: alice.id,
      proof: 'ticket',
      campaigns: new Set(),
      exports: new Set(['cam_A/axp_1']),
    })
  })
})
