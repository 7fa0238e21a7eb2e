import { Readable } from 'node:stream'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { AccessFault, parseAccessFile } from '../../../src/access/access-file.ts'
import type { Credential } from '../../../src/access/authenticator.ts'
import { accessFile, entry, KEYS, problemOf, startAccess } from '../../helpers/callers.ts'
import { createSigningKey, type SigningKey, startProvider } from '../../helpers/provider.ts'

/** What comes from outside may be anything. It ends in a fault or a problem, and never in a bug. */

const RUNS = { numRuns: 2_000 }
const CLAIMS = { iss: 'https://id.example.com/', aud: 'gateway', sub: 'alice', exp: 4e9 }
const SCOPES = ['status', 'start', 'file']

let key: SigningKey
beforeAll(async () => {
  key = await createSigningKey('k1')
})

const start = async () => {
  const provider = await startProvider()
  provider.show(key)
  const jwt = { jwksUrl: provider.url, issuer: CLAIMS.iss, audience: CLAIMS.aud, claimPrefix: '' }
  const file = accessFile({ crm: entry(KEYS.crm, { campaigns: ['cam_A'] }) })
  return startAccess({ auth: new Set(['keys', 'jwt']), jwt, file })
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/** Some characters of a text are left out, put in or replaced. */
const mutated = (texts: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat({ max: 8 }), fc.string({ maxLength: 8 }))
    .map(([text, at, cut, put]) => {
      const from = at % (text.length + 1)
      return text.slice(0, from) + put + text.slice(from + cut)
    })

/** Values like those of a valid file, at places where others belong. */
const strange = fc.oneof(
  fc.json(),
  fc
    .record(
      {
        accounts: fc.anything(),
        callers: fc.dictionary(
          fc.oneof(fc.constantFrom('crm', '__proto__', 'constructor'), fc.string()),
          fc.record(
            {
              keys: fc.oneof(fc.array(fc.string()), fc.anything()),
              accounts: fc.oneof(fc.constant(['default']), fc.anything()),
              campaigns: fc.anything(),
              scopes: fc.oneof(fc.subarray(SCOPES), fc.anything()),
            },
            { requiredKeys: [] },
          ),
        ),
      },
      { requiredKeys: [] },
    )
    .map((value) => {
      try {
        return JSON.stringify(value) ?? 'undefined'
      } catch {
        return '{}'
      }
    }),
)

describe('whatever the access file holds', () => {
  it('it is taken or has faults that can be read', () => {
    const valid = JSON.stringify({
      accounts: { sales: { apiKey: 'a-key' } },
      callers: { crm: entry(KEYS.crm, { accounts: ['sales'], scopes: ['file'] }) },
    })
    let [taken, refused] = [0, 0]
    const check = (text: string): void => {
      try {
        const { callers } = parseAccessFile(text)
        taken += 1
        for (const { keys, accounts, scopes } of callers.values()) {
          expect(keys.length >= 1 && keys.length <= 2 && accounts.length >= 1).toBe(true)
          expect([...scopes].every((scope) => SCOPES.includes(scope))).toBe(true)
        }
      } catch (error) {
        if (!(error instanceof AccessFault)) throw error
        refused += 1
        expect(error.faults.length).toBeGreaterThan(0)
        for (const fault of error.faults) expect(fault).toMatch(/^[\w.() -]+: .{5,}$/)
      }
    }
    fc.assert(fc.property(fc.oneof(strange, mutated([valid]), fc.string()), check), RUNS)
    expect(taken).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
  })
})

describe('whatever a credential is', () => {
  const isRefused = async (ask: (credential: Credential) => unknown, credential: Credential) => {
    const { code } = await problemOf(() => ask(credential))
    expect(code).toBe('unauthenticated')
  }
  const kinds = fc.constantFrom('bearer' as const, 'key' as const, 'ticket' as const)

  it('no text is somebody', async () => {
    const { ask } = await start()
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((rest) => `leg_${rest}`),
      fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.constantFrom('__proto__', 'constructor', 'undefined', 'null', '.', '..', '...'),
    )
    await fc.assert(
      fc.asyncProperty(kinds, text, (kind, value) => isRefused(ask, { kind, value })),
      RUNS,
    )
  })

  it('no change to a key, a ticket or a JWT leaves a valid one', async () => {
    const { ask, bearer, tickets } = await start()
    const maker = await bearer(KEYS.crm)
    const { ticket } = await tickets.make(maker, 'default', { campaigns: ['cam_A'] })
    const valid = [KEYS.crm, ticket, await key.sign(CLAIMS)]
    for (const value of valid) await ask({ kind: 'bearer', value })
    await fc.assert(
      fc.asyncProperty(kinds, mutated(valid), async (kind, value) => {
        fc.pre(!valid.includes(value))
        await isRefused(ask, { kind, value })
      }),
      RUNS,
    )
  })

  // Regression: jose skips white space and takes padding, so one token had any number of spellings.
  it.each([' ', '\n', '\t', '='])('no %j in a signature leaves a valid one', async (put) => {
    const { ask, bearer, tickets } = await start()
    const maker = await bearer(KEYS.crm)
    const { ticket } = await tickets.make(maker, 'default', { campaigns: ['cam_A'] })
    for (const token of [ticket, await key.sign(CLAIMS)]) {
      for (const end of [0, 1, 4, 10]) {
        const at = token.length - end
        const value = token.slice(0, at) + put + token.slice(at)
        await isRefused(ask, { kind: 'bearer', value })
      }
    }
  })

  it('no other last character of a signature leaves a valid one', async () => {
    const { ask, bearer, tickets } = await start()
    const maker = await bearer(KEYS.crm)
    const { ticket } = await tickets.make(maker, 'default', { campaigns: ['cam_A'] })
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (const token of [ticket, await key.sign(CLAIMS)]) {
      for (const last of alphabet) {
        const value = token.slice(0, -1) + last
        if (value !== token) await isRefused(ask, { kind: 'bearer', value })
      }
    }
  })

  it('no header and no body of JSON make a token without its signature', async () => {
    const { ask } = await start()
    const header = fc.oneof(
      fc.json(),
      fc
        .record({
          alg: fc.constantFrom('none', 'HS256', 'ES256', 'RS256', 'EdDSA', 'dir', ''),
          typ: fc.constantFrom('leg-ticket+jwt', 'JWT', 'at+jwt', undefined),
          kid: fc.oneof(fc.constant('k1'), fc.anything()),
          crit: fc.anything(),
        })
        .map((value) => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? 0 : one))),
    )
    const body = fc.oneof(fc.json(), fc.constant(JSON.stringify(CLAIMS)))
    const forged = fc
      .tuple(header, body, fc.uint8Array({ maxLength: 96 }))
      .map(([head, said, bytes]) =>
        [base64url(head), base64url(said), Buffer.from(bytes).toString('base64url')].join('.'),
      )
    await fc.assert(
      fc.asyncProperty(kinds, forged, (kind, value) => isRefused(ask, { kind, value })),
      RUNS,
    )
  })

  it('signed claims of any form are a caller with sane rights, or refused', async () => {
    const { bearer } = await start()
    const claims = fc.record(
      {
        sub: fc.oneof(fc.string({ unit: 'binary' }), fc.anything()),
        scope: fc.oneof(fc.mixedCase(fc.constant('status file')), fc.anything()),
        scp: fc.oneof(fc.subarray(SCOPES), fc.anything()),
        accounts: fc.oneof(fc.constant(['default']), fc.array(fc.string()), fc.anything()),
        campaigns: fc.oneof(fc.array(fc.string()), fc.anything()),
        nbf: fc.anything(),
        iat: fc.anything(),
      },
      { requiredKeys: [] },
    )
    const plain = (value: unknown): Record<string, unknown> =>
      JSON.parse(JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? 0 : one)))
    await fc.assert(
      fc.asyncProperty(claims, async (said) => {
        const token = await key.sign({ ...CLAIMS, ...plain(said) })
        const caller = await bearer(token).catch(() => undefined)
        if (caller === undefined) {
          const { code } = await problemOf(() => bearer(token))
          expect(['unauthenticated', 'forbidden']).toContain(code)
          return
        }
        expect(caller.accounts).toEqual(['default'])
        expect(caller.id).toMatch(/^jwt:[^/:\s]+$/)
        expect([...caller.scopes].every((scope) => SCOPES.includes(scope))).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})

describe('whatever is asked for in a ticket', () => {
  it('the ticket opens nothing that its maker may not see', async () => {
    const { ask, bearer, tickets } = await start()
    const maker = await bearer(KEYS.crm)
    const campaign = fc.constantFrom('cam_A', 'cam_B', 'cam_', 'A')
    const ids = <T>(one: fc.Arbitrary<T>) =>
      fc.oneof(fc.array(one, { maxLength: 3 }), fc.anything())
    const request = fc.oneof(
      fc.anything(),
      fc.record(
        {
          exports: ids(campaign.map((id) => `${id}/axp_1`)),
          campaigns: ids(campaign),
          scopes: fc.oneof(fc.subarray(SCOPES), fc.anything()),
          ttl: fc.oneof(fc.integer({ min: -1, max: 9_000 }), fc.anything()),
        },
        { requiredKeys: [] },
      ),
    )
    let made = 0
    await fc.assert(
      fc.asyncProperty(request, async (asked) => {
        const answer = await tickets.make(maker, 'default', asked).catch(() => undefined)
        if (answer === undefined) {
          const { code } = await problemOf(() => tickets.make(maker, 'default', asked))
          expect(['invalid-request', 'campaign-not-found']).toContain(code)
          return
        }
        made += 1
        const { campaigns, exports } = await ask({ kind: 'ticket', value: answer.ticket })
        expect([...(campaigns ?? ['all']), ...exports].every((id) => /^cam_A(\/|$)/.test(id))).toBe(
          true,
        )
      }),
      RUNS,
    )
    expect(made).toBeGreaterThan(0)
  })
})

describe('whatever the provider shows as its keys', () => {
  it('a token is refused, or the keys cannot be fetched', async () => {
    const token = await key.sign(CLAIMS)
    const { kid, alg, use } = key.jwk
    const odd = fc.record(
      {
        kid: fc.constantFrom(kid, 'k2', 7),
        kty: fc.constantFrom('EC', 'RSA', 'oct', 'OKP', null),
        alg: fc.constantFrom(alg, 'none', 'HS256'),
        crv: fc.constantFrom('P-256', 'P-0', 'Ed25519', null),
        use: fc.constantFrom(use, 'enc'),
        x: fc.oneof(fc.constant(key.jwk.x), fc.base64String(), fc.anything()),
        y: fc.oneof(fc.base64String(), fc.anything()),
        n: fc.base64String(),
        e: fc.constantFrom('AQAB', ''),
        k: fc.base64String(),
      },
      { requiredKeys: ['kid'] },
    )
    const sets = fc.oneof(
      fc.array(fc.oneof(odd, fc.anything()), { maxLength: 3 }).map((keys) => ({ keys })),
      fc.json(),
      fc.string(),
    )
    const codes = new Set<string>()
    const check = async (set: unknown): Promise<void> => {
      const text = typeof set === 'string' ? set : (JSON.stringify(set, withoutBigInts) ?? '')
      const access = startAccess({
        auth: new Set(['jwt']),
        jwt: { jwksUrl: JWKS, issuer: CLAIMS.iss, audience: CLAIMS.aud, claimPrefix: '' },
        fetch: async () => ({ status: 200, body: Readable.from([Buffer.from(text)]) }),
      })
      codes.add((await problemOf(() => access.bearer(token))).code)
    }
    await fc.assert(fc.asyncProperty(sets, check), { numRuns: 500 })
    expect([...codes].sort()).toEqual(['overloaded', 'unauthenticated'])
  })
})

const JWKS = new URL('https://id.example.com/jwks')
const withoutBigInts = (_: string, value: unknown) => (typeof value === 'bigint' ? 0 : value)
