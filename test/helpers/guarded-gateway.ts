import { createKey, digestOf } from '../../src/access/keys.ts'
import { type AccessGateway, startAccessGateway } from './access-gateway.ts'
import { IN_HASTE } from './live-page.ts'
import { createSigningKey, startProvider } from './provider.ts'

interface GuardedGateway extends AccessGateway {
  /** The key of the caller `crm`, who may do everything in all accounts. */
  readonly key: string
  /** Takes the caller out of the access file, as SIGHUP does. */
  dismiss(): Promise<unknown>
}

/** A provider of tokens that the gateway believes, next to keys. */
export const startIssuer = async () => {
  const provider = await startProvider()
  const key = await createSigningKey('k1')
  provider.show(key)
  const claims = { iss: 'https://id.example.com/', aud: 'gateway', sub: 'alice' }
  return {
    provider,
    env: {
      ...{ AUTH: 'keys,jwt', JWT_JWKS_URL: provider.url.href },
      ...{ JWT_ISSUER: claims.iss, JWT_AUDIENCE: claims.aud },
    },
    /** @param lifeS how long the token is still valid, seconds */
    token: (lifeS: number) => key.sign({ ...claims, exp: Math.floor(Date.now() / 1_000) + lifeS }),
  }
}

interface Options {
  readonly env?: Readonly<Record<string, string>>
  /** The lemlist keys by account. Default: one account, `default`. */
  readonly accounts?: Readonly<Record<string, string>>
}

/** A gateway that knows one caller by his key, and looks often. It ends with the test. */
export const startGuarded = async ({
  env = {},
  accounts,
}: Options = {}): Promise<GuardedGateway> => {
  const key = createKey()
  const names = Object.keys(accounts ?? { default: '' })
  const keys = Object.entries(accounts ?? {}).map(([name, apiKey]) => [name, { apiKey }])
  const teams = accounts && { accounts: Object.fromEntries(keys) }
  const gateway = await startAccessGateway({
    file: { ...teams, callers: { crm: { keys: [digestOf(key)], accounts: names } } },
    env: { ...IN_HASTE.env, ...env },
    lemlist: { ...IN_HASTE.lemlist, ...(accounts && { apiKeys: Object.values(accounts) }) },
  })
  return { ...gateway, key, dismiss: () => gateway.reload({ ...teams, callers: {} }) }
}
