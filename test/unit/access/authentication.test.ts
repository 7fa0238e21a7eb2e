import { beforeAll, describe, expect, it } from 'vitest'
import type { AccessOptions } from '../../../src/access/access.ts'
import { accessFile, entry, KEYS, problemOf, startAccess } from '../../helpers/callers.ts'
import { createSigningKey, type SigningKey, startProvider } from '../../helpers/provider.ts'

const CLAIMS = { iss: 'https://id.example.com/', aud: 'gateway', sub: 'alice', exp: 4e9 }

let key: SigningKey
beforeAll(async () => {
  key = await createSigningKey('k1')
})

const start = async (auth: AccessOptions['auth'], options: Partial<AccessOptions> = {}) => {
  const provider = await startProvider()
  provider.show(key)
  const jwt = { jwksUrl: provider.url, issuer: CLAIMS.iss, audience: CLAIMS.aud, claimPrefix: '' }
  const file = accessFile({ crm: entry(KEYS.crm) })
  return { provider, ...startAccess({ auth, jwt, file, ...options }) }
}

/** The tickets of callers of every kind, made where each kind is accepted. */
const ticketsOf = async () => {
  const all = await start(new Set(['keys', 'jwt']))
  const none = await start(new Set())
  const make = async (maker: Awaited<ReturnType<typeof all.ask>>) =>
    (await all.tickets.make(maker, 'default', { campaigns: ['cam_A'] })).ticket
  return {
    'ticket of a key': await make(await all.bearer(KEYS.crm)),
    'ticket of a JWT': await make(await all.bearer(await key.sign(CLAIMS))),
    'ticket of anonymous': await make(await none.ask()),
  }
}

describe('who a credential belongs to', () => {
  const EVERYBODY = {
    'no credential': 'anonymous none',
    key: 'anonymous none',
    JWT: 'anonymous none',
    garbage: 'anonymous none',
    'ticket of a key': 'unauthenticated',
    'ticket of a JWT': 'unauthenticated',
    'ticket of anonymous': 'anonymous ticket',
  }
  const NOBODY = Object.fromEntries(Object.keys(EVERYBODY).map((name) => [name, 'unauthenticated']))
  const BY_KEY = { key: 'crm key', 'ticket of a key': 'crm ticket' }
  const BY_JWT = { JWT: 'alice jwt', 'ticket of a JWT': 'alice ticket' }

  it.each<[string, readonly ('keys' | 'jwt')[], Readonly<Record<string, string>>]>([
    ['none', [], EVERYBODY],
    ['keys', ['keys'], { ...NOBODY, ...BY_KEY }],
    ['jwt', ['jwt'], { ...NOBODY, ...BY_JWT }],
    ['keys,jwt', ['keys', 'jwt'], { ...NOBODY, ...BY_KEY, ...BY_JWT }],
  ])('with AUTH=%s', async (_, auth, expected) => {
    const { ask } = await start(new Set(auth))
    const bearers = {
      key: KEYS.crm,
      JWT: await key.sign(CLAIMS),
      garbage: 'garbage',
      ...(await ticketsOf()),
    }
    const tell = async (value?: string): Promise<string> => {
      const credential = value === undefined ? undefined : { kind: 'bearer' as const, value }
      try {
        const { name, proof } = await ask(credential)
        return `${name} ${proof}`
      } catch {
        return (await problemOf(() => ask(credential))).code
      }
    }
    const told: Record<string, string> = { 'no credential': await tell() }
    for (const [name, value] of Object.entries(bearers)) told[name] = await tell(value)
    expect(told).toEqual(expected)
  })

  it('is answered without a promise for a key, since most requests carry one', async () => {
    const { authenticator } = await start(new Set(['keys']))
    const caller = authenticator.authenticate({ kind: 'bearer', value: KEYS.crm })
    expect(caller).toMatchObject({ name: 'crm' })
    expect(authenticator.authenticate({ kind: 'key', value: KEYS.crm })).toBe(caller)
  })

  it('is answered without a promise for a ticket that is known', async () => {
    const { authenticator, tickets, bearer } = await start(new Set(['keys']))
    const maker = await bearer(KEYS.crm)
    const { ticket } = await tickets.make(maker, 'default', { campaigns: ['cam_A'] })
    await authenticator.authenticate({ kind: 'ticket', value: ticket })
    expect(authenticator.authenticate({ kind: 'ticket', value: ticket })).toMatchObject({
      name: 'crm',
    })
  })

  it('is told in the same words whatever is wrong, but for a credential that is missing', async () => {
    const { ask, bearer } = await start(new Set(['keys', 'jwt']))
    const attempts = ['leg_', KEYS.spare, 'a.b.c', '', 'x', await key.sign({ ...CLAIMS, exp: 1 })]
    const texts = await Promise.all(
      attempts.map(async (value) => (await problemOf(() => bearer(value))).message),
    )
    expect(new Set(texts)).toEqual(new Set(['The credential is unknown, expired or malformed.']))
    expect((await problemOf(() => ask())).message).toMatch(/needs a credential/)
  })

  it('asks the provider for no key and no ticket', async () => {
    const { ask, provider } = await start(new Set(['keys', 'jwt']))
    for (const value of [KEYS.crm, KEYS.spare, 'leg_', (await ticketsOf())['ticket of a key']]) {
      await ask({ kind: 'bearer', value }).catch(() => {})
    }
    expect(provider.fetches()).toBe(0)
  })

  it('is every account for anonymous, as they are now', async () => {
    let names: readonly string[] = ['sales']
    const { ask } = await start(new Set(), { accounts: () => names })
    const first = await ask()
    expect(await ask()).toBe(first)
    names = ['sales', 'emea']
    expect((await ask()).accounts).toEqual(['sales', 'emea'])
  })

  it('changes at once with the access file', async () => {
    const { bearer, reload } = await start(new Set(['keys']))
    expect(reload(accessFile({ crm: entry(KEYS.spare), bi: entry(KEYS.bi) }))).toEqual([
      'caller crm: keys changed',
      'caller bi: added',
    ])
    expect((await bearer(KEYS.spare)).name).toBe('crm')
    expect((await bearer(KEYS.bi)).name).toBe('bi')
    expect((await problemOf(() => bearer(KEYS.crm))).code).toBe('unauthenticated')
  })
})
