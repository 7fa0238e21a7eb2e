import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { InspectAccessFile } from '../../../src/config/access.ts'
import { type Config, ConfigError, loadConfig } from '../../../src/config/config.ts'
import { readSecretFile } from '../../../src/config/secret-files.ts'
import { takeSecrets } from '../../../src/config/take-secrets.ts'
import { VARIABLES } from '../../../src/config/variables.ts'
import { tempDirectory } from '../../helpers/process.ts'

const CANARY = 'CanaryOfTheConfiguration'
const KEY = { LEMLIST_API_KEY: 'a-key' }
const FILE = { ACCESS_FILE: '/access.json' }
const JWT = {
  JWT_JWKS_URL: 'https://id.example.com/jwks?policy=a',
  JWT_ISSUER: 'https://id.example.com/',
  JWT_AUDIENCE: 'gateway',
}
const SECRET = 'a-secret-of-tickets-that-has-32-bytes'
const REDIS = { STORE_URL: 'redis://127.0.0.1' }

type Facts = ReturnType<InspectAccessFile>

const load = (env: Readonly<Record<string, string>>, facts?: Facts): Config =>
  loadConfig(env, facts && (() => facts))

const faultsOf = (env: Readonly<Record<string, string>>, facts?: Facts): readonly string[] => {
  try {
    load(env, facts)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults
  }
}
const namesOf = (faults: readonly string[]) => faults.map((fault) => fault.split(':', 1)[0])

const fileOf = (content: string): string => {
  const path = join(tempDirectory(), 'secret')
  writeFileSync(path, content)
  return path
}

describe('AUTH', () => {
  it.each([
    ['none', []],
    ['keys', ['keys']],
    ['jwt', ['jwt']],
    ['keys,jwt', ['keys', 'jwt']],
    ['jwt,keys', ['keys', 'jwt']],
  ])('may be %s', (AUTH, ways) => {
    const { access } = load({ ...KEY, ...FILE, ...JWT, AUTH })
    expect([...access.auth]).toEqual(ways)
  })

  it.each(['', 'all', 'keys,', 'keys, jwt', 'keys,none', 'KEYS', 'keys;jwt'])(
    'may not be %j',
    (AUTH) => {
      const faults = faultsOf({ ...KEY, ...FILE, ...JWT, HOST: '0.0.0.0', AUTH })
      expect(namesOf(faults).some((name) => name === 'AUTH' || name === 'HOST')).toBe(true)
    },
  )

  it('lets every address be listened on when callers prove themselves', () => {
    expect(faultsOf({ ...KEY, ...FILE, HOST: '0.0.0.0', AUTH: 'keys' })).toEqual([])
    expect(faultsOf({ ...KEY, ...JWT, HOST: '0.0.0.0', AUTH: 'jwt' })).toEqual([])
  })

  it('must be set on loopback too, when there are callers to tell apart', () => {
    const callers = { hasAccounts: false, hasCallers: true }
    expect(namesOf(faultsOf({ ...KEY, ...FILE }, callers))).toEqual(['AUTH'])
    expect(namesOf(faultsOf({ ...KEY, ...JWT }))).toEqual(['AUTH'])
    expect(faultsOf({ ...KEY, ...FILE, AUTH: 'none' }, callers)).toEqual([])
    expect(faultsOf({ ...KEY, ...FILE }, { hasAccounts: false, hasCallers: false })).toEqual([])
  })

  it('with keys needs ACCESS_FILE', () => {
    expect(faultsOf({ ...KEY, AUTH: 'keys' })).toEqual(['ACCESS_FILE: is required with AUTH=keys'])
  })

  it('with jwt needs all that a token is compared with', () => {
    expect(namesOf(faultsOf({ ...KEY, AUTH: 'jwt' }))).toEqual(Object.keys(JWT))
    for (const name of Object.keys(JWT)) {
      const { [name]: _, ...rest } = JWT as Record<string, string>
      expect(namesOf(faultsOf({ ...KEY, ...rest, AUTH: 'keys,jwt', ...FILE }))).toEqual([name])
    }
  })

  it('with jwt gives what a token is compared with', () => {
    const { access } = load({ ...KEY, ...JWT, AUTH: 'jwt', JWT_CLAIM_PREFIX: 'https://g.example/' })
    expect(access.jwt).toEqual({
      jwksUrl: new URL(JWT.JWT_JWKS_URL),
      issuer: JWT.JWT_ISSUER,
      audience: 'gateway',
      claimPrefix: 'https://g.example/',
      proxy: undefined,
    })
    expect(load({ ...KEY, ...JWT, AUTH: 'jwt' }).access.jwt?.claimPrefix).toBe('')
    expect(load({ ...KEY, ...JWT, AUTH: 'none' }).access.jwt).toBeUndefined()
  })

  it('with jwt finds the way to the provider, which may differ from the way to lemlist', () => {
    const env = { ...KEY, ...JWT, AUTH: 'jwt', HTTPS_PROXY: 'http://user:pass@proxy.example:3128' }
    const { proxy } = load(env).access.jwt ?? {}
    expect(proxy?.url.href).toBe('http://proxy.example:3128/')
    expect(proxy?.authorization?.reveal()).toBe('Basic dXNlcjpwYXNz')
    const direct = load({ ...env, NO_PROXY: 'id.example.com' })
    expect(direct.access.jwt?.proxy).toBeUndefined()
    expect(direct.lemlist.proxy).toBeDefined()
    expect(namesOf(faultsOf({ ...env, HTTPS_PROXY: 'ftp://proxy' }))).toEqual(['HTTPS_PROXY'])
  })
})

describe('the access file', () => {
  it('is read with the environment, and its faults are told by path', () => {
    const facts = { faults: ['callers.crm.keys: must have one or two digests', 'a: is no field'] }
    expect(faultsOf({ ...KEY, ...FILE, AUTH: 'keys', PORT: 'x' }, facts)).toEqual([
      'PORT: must be a whole number from 0 to 65535',
      'ACCESS_FILE: callers.crm.keys: must have one or two digests',
      'ACCESS_FILE: a: is no field',
    ])
  })

  it('with accounts stands in for the lemlist key, and excludes it', () => {
    const facts = { hasAccounts: true, hasCallers: true }
    const env = { ...FILE, AUTH: 'keys' }
    const { lemlist, access } = load(env, facts)
    expect(lemlist.apiKey).toBeUndefined()
    expect(access.file).toBe('/access.json')
    expect(namesOf(faultsOf({ ...env, ...KEY }, facts))).toEqual(['LEMLIST_API_KEY'])
    expect(namesOf(faultsOf({ ...env, LEMLIST_API_KEY_FILE: '/key' }, facts))).toEqual([
      'LEMLIST_API_KEY_FILE',
    ])
  })

  it('without accounts needs the lemlist key', () => {
    const facts = { hasAccounts: false, hasCallers: true }
    expect(namesOf(faultsOf({ ...FILE, AUTH: 'keys' }, facts))).toEqual(['LEMLIST_API_KEY'])
  })

  it('with faults brings no fault about the lemlist key, since nobody knows its accounts', () => {
    expect(namesOf(faultsOf({ ...FILE, AUTH: 'keys' }, { faults: ['a: b'] }))).toEqual([
      'ACCESS_FILE',
    ])
  })
})

describe('the secret of tickets', () => {
  it('is a variable or a file', () => {
    expect(load({ ...KEY, TICKET_SECRET: SECRET }).access.ticketSecret?.reveal()).toBe(SECRET)
    const path = fileOf(`${SECRET}\n`)
    const { access } = load({ ...KEY, TICKET_SECRET_FILE: path })
    expect(access.ticketSecret?.reveal()).toBe(SECRET)
    expect(access.ticketSecretFile).toBe(path)
    expect(readSecretFile('TICKET_SECRET', path).reveal()).toBe(SECRET)
    expect(load(KEY).access.ticketSecret).toBeUndefined()
  })

  it('is not both', () => {
    const env = { ...KEY, TICKET_SECRET: SECRET, TICKET_SECRET_FILE: fileOf(SECRET) }
    expect(namesOf(faultsOf(env))).toEqual(['TICKET_SECRET'])
  })

  it('has at least 32 bytes', () => {
    const short = `${CANARY}1234567`
    expect(short).toHaveLength(31)
    expect(namesOf(faultsOf({ ...KEY, TICKET_SECRET: short }))).toEqual(['TICKET_SECRET'])
    expect(faultsOf({ ...KEY, TICKET_SECRET: 'é'.repeat(16) })).toEqual([])
    const faults = faultsOf({ ...KEY, TICKET_SECRET_FILE: fileOf(short) })
    expect(faults).toEqual(['TICKET_SECRET_FILE: the file holds no secret of at least 32 bytes'])
    expect(namesOf(faultsOf({ ...KEY, TICKET_SECRET_FILE: `/nowhere/${CANARY}` }))).toEqual([
      'TICKET_SECRET_FILE',
    ])
  })

  it('is required with Redis, since one replica takes the tickets of the others', () => {
    const env = { ...KEY, ...FILE, ...REDIS, AUTH: 'keys' }
    expect(namesOf(faultsOf(env))).toEqual(['TICKET_SECRET'])
    expect(faultsOf({ ...env, TICKET_SECRET: SECRET })).toEqual([])
    expect(faultsOf({ ...env, TICKET_SECRET_FILE: fileOf(SECRET) })).toEqual([])
    expect(namesOf(faultsOf({ ...env, TICKET_SECRET_FILE: '/nowhere' }))).toEqual([
      'TICKET_SECRET_FILE',
    ])
    expect(faultsOf({ ...env, AUTH: 'none' })).toEqual([])
    expect(faultsOf({ ...env, STORE_URL: 'memory:' })).toEqual([])
  })
})

describe('CORS_ORIGINS', () => {
  it('is a list of exact origins', () => {
    const CORS_ORIGINS = 'https://app.example.com, http://localhost:5173,https://app.example.com'
    expect(load({ ...KEY, CORS_ORIGINS }).access.corsOrigins).toEqual([
      'https://app.example.com',
      'http://localhost:5173',
    ])
  })

  it.each([
    '*',
    'null',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://app.example.com?a',
    'https://App.example.com',
    'https://app.example.com:443',
    'http://app.example.com:80',
    'https://*.example.com',
    'https://user@app.example.com',
    'https://app.example.com,',
    'https://app.example.com https://b.example.com',
    'app.example.com',
    'file://',
    'ftp://app.example.com',
    'https://bücher.example',
    CANARY,
  ])('may not have %j', (origin) => {
    const faults = faultsOf({ ...KEY, CORS_ORIGINS: `https://a.example.com,${origin}` })
    expect(namesOf(faults)).toEqual(['CORS_ORIGINS'])
    expect(faults.join()).not.toContain(CANARY)
  })
})

describe('a value of access is refused', () => {
  it.each<[string, string]>([
    ['JWT_JWKS_URL', `http://${CANARY}.example/jwks`],
    ['JWT_JWKS_URL', `https://user:${CANARY}@id.example/jwks`],
    ['JWT_JWKS_URL', `https://id.example/jwks#${CANARY}`],
    ['JWT_JWKS_URL', CANARY],
    ['JWT_ISSUER', `two ${CANARY}`],
    ['JWT_AUDIENCE', `two ${CANARY}`],
    ['JWT_CLAIM_PREFIX', `two ${CANARY}`],
    ['CALLER_RATE_LIMIT', '0'],
    ['CALLER_RATE_LIMIT', `600${CANARY}`],
    ['SSE_MAX_STREAMS_PER_CALLER', '0'],
    ['TICKET_SECRET', `"${CANARY}${CANARY}"`],
  ])('for %s = %j, without showing it', (name, value) => {
    const faults = faultsOf({ ...KEY, ...JWT, ...FILE, AUTH: 'keys,jwt', [name]: value })
    expect(namesOf(faults)).toEqual([name])
    expect(faults.join()).not.toContain(CANARY)
  })

  it('but the JWKS may be on loopback without TLS', () => {
    const env = { ...KEY, ...JWT, AUTH: 'jwt', JWT_JWKS_URL: 'http://127.0.0.1:9000/jwks' }
    expect(faultsOf(env)).toEqual([])
  })
})

describe('the secrets of the environment', () => {
  it('are taken out of it, and are in the copy', () => {
    const env = {
      LEMLIST_API_KEY: CANARY,
      TICKET_SECRET: CANARY,
      STORE_URL: CANARY,
      HTTPS_PROXY: CANARY,
      http_proxy: CANARY,
      https_proxy: CANARY,
      HTTP_PROXY: CANARY,
      PORT: '8080',
      PATH: '/bin',
    }
    const before = { ...env }
    expect(takeSecrets(env)).toEqual(before)
    expect(env).toEqual({ PORT: '8080', PATH: '/bin' })
  })

  it('are every variable whose name says so, and those whose URL may hold a password', () => {
    const marked = Object.entries(VARIABLES).flatMap(([name, one]) =>
      'secret' in one ? [name] : [],
    )
    const named = Object.keys(VARIABLES).filter((name) => /_(KEY|SECRET)$/.test(name))
    expect(named).toEqual(['LEMLIST_API_KEY', 'TICKET_SECRET'])
    expect(marked).toEqual(expect.arrayContaining(named))
    expect(marked).toEqual(expect.arrayContaining(['STORE_URL', 'HTTPS_PROXY', 'HTTP_PROXY']))
  })

  it('are not shown by the configuration', () => {
    const config = load({
      ...JWT,
      AUTH: 'jwt',
      LEMLIST_API_KEY: CANARY,
      TICKET_SECRET: CANARY.repeat(2),
      STORE_URL: `redis://:${CANARY}@127.0.0.1`,
      HTTPS_PROXY: `http://user:${CANARY}@proxy.example:3128`,
    })
    const base64 = Buffer.from(`user:${CANARY}`).toString('base64')
    for (const text of [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config)]) {
      expect(text).not.toContain(CANARY)
      expect(text).not.toContain(base64)
    }
  })
})
