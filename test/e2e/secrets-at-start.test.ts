import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createKey, digestOf } from '../../src/access/keys.ts'
import { leaksIn } from '../helpers/canaries.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'

/** A gateway that cannot start says why, and shows no secret while it does. */

const CANARY = 'canary~7f3a9b1e5d'
const KEY = createKey()
const LONG = `${CANARY}-${CANARY}-and-longer-than-32-bytes`
const USABLE = { LEMLIST_API_KEY: 'sound-key', STORE_URL: 'memory:' }

const refusalOf = async (env: Readonly<Record<string, string>>): Promise<string> => {
  const started = spawnGateway({ LOG_LEVEL: 'trace', ...env })
  return started.then(
    () => 'the gateway has started',
    (error: Error) => error.message,
  )
}

const expectNoLeak = (message: string): void =>
  expect(leaksIn([{ of: 'output', bytes: message }], { CANARY, KEY, LONG })).toEqual([])

const fileWith = (text: string): string => {
  const path = join(tempDirectory(), 'file')
  writeFileSync(path, text)
  return path
}
const crm = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ callers: { crm: { keys: [digestOf(KEY)], accounts: ['default'], ...fields } } })

describe('a gateway whose configuration is faulty names the variable and not its value:', () => {
  it.each([
    ['a key with a blank', 'LEMLIST_API_KEY', { LEMLIST_API_KEY: `${CANARY} ${CANARY}` }],
    ['a key in quotes', 'LEMLIST_API_KEY', { LEMLIST_API_KEY: `"${CANARY}"` }],
    ['a secret that is too short', 'TICKET_SECRET', { TICKET_SECRET: CANARY }],
    ['a password that ends the URL', 'STORE_URL', { STORE_URL: `redis://u:${CANARY}#x@host` }],
    ['a store of another kind', 'STORE_URL', { STORE_URL: `mysql://u:${CANARY}@host/db` }],
    ['a proxy of another kind', 'HTTPS_PROXY', { HTTPS_PROXY: `socks5://u:${CANARY}@host` }],
    ['a proxy that is no URL', 'HTTPS_PROXY', { HTTPS_PROXY: `http://u:${CANARY}@ho st` }],
    ['a password in a base URL', 'LEMLIST_BASE_URL', { LEMLIST_BASE_URL: `https://u:${CANARY}@h` }],
    ['a key for a level', 'LOG_LEVEL', { LOG_LEVEL: CANARY }],
    ['a key for a port', 'PORT', { PORT: CANARY }],
    ['an origin with a password', 'CORS_ORIGINS', { CORS_ORIGINS: `https://u:${CANARY}@host` }],
    [
      'a password in the URL of a provider',
      'JWT_JWKS_URL',
      { AUTH: 'jwt', JWT_ISSUER: 'a', JWT_AUDIENCE: 'b', JWT_JWKS_URL: `https://u:${CANARY}@h/` },
    ],
  ])('%s', async (_, name, env) => {
    const message = await refusalOf({ ...USABLE, ...env })
    expect(message).toContain(`${name}: `)
    expectNoLeak(message)
  })

  it.each([
    ['a secret of tickets', 'TICKET_SECRET_FILE', CANARY],
    ['a lemlist key', 'LEMLIST_API_KEY_FILE', `${CANARY} ${CANARY}`],
    ['an access file that is no JSON', 'ACCESS_FILE', CANARY],
    ['an access file with a key in the place of its digest', 'ACCESS_FILE', crm({ keys: [KEY] })],
    ['an access file with a key for a field', 'ACCESS_FILE', crm({ [KEY]: 1 })],
    ['an access file with a key for a name', 'ACCESS_FILE', crm({}).replace('crm', KEY)],
    ['an access file with a key for a scope', 'ACCESS_FILE', crm({ scopes: [KEY] })],
    ['an access file with a key for a campaign', 'ACCESS_FILE', crm({ campaigns: [KEY] })],
    ['an access file with a key for an account', 'ACCESS_FILE', crm({ accounts: [KEY] })],
  ])('a file that holds %s', async (_, name, text) => {
    const { LEMLIST_API_KEY, ...rest } = USABLE
    const key = name === 'LEMLIST_API_KEY_FILE' ? {} : { LEMLIST_API_KEY }
    const message = await refusalOf({ ...rest, ...key, AUTH: 'keys', [name]: fileWith(text) })
    expect(message).toContain(`${name}: `)
    expectNoLeak(message)
  })
})

describe.skipIf(withoutRedis)('a gateway that Redis does not let in', () => {
  it('names STORE_URL, and neither the password nor the user', async () => {
    const redis = await startRedis({ args: ['--requirepass', 'another-password'] })
    const STORE_URL = redis.url.replace('//', `//${CANARY}:${encodeURIComponent(LONG)}@`)
    const message = await refusalOf({ ...USABLE, STORE_URL })
    expect(message).toContain('STORE_URL')
    expectNoLeak(message)
  })
})
