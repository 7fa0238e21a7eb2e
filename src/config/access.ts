import { isLoopback } from './forms.ts'
import { type ProxyUse, proxyOf, wayTo } from './proxy.ts'
import type { Secret } from './secret.ts'
import { secretFrom } from './secret-files.ts'
import type { Values } from './variables.ts'

/** The part of the configuration that says who may call, and from which pages. */

export interface AccessConfig {
  /** How callers prove themselves. Empty = they do not (`AUTH=none`). */
  readonly auth: ReadonlySet<'keys' | 'jwt'>
  /** The access file, which is read again on SIGHUP. */
  readonly file: string | undefined
  /** Undefined unless `auth` has `jwt`. */
  readonly jwt:
    | {
        readonly jwksUrl: URL
        readonly issuer: string
        readonly audience: string
        readonly claimPrefix: string
        /** The proxy on the way to the JWKS. */
        readonly proxy: ProxyUse | undefined
      }
    | undefined
  /** Undefined = a random one for each process. */
  readonly ticketSecret: Secret | undefined
  /** The file of the secret, which is read again on SIGHUP. */
  readonly ticketSecretFile: string | undefined
  /** Origins of pages that may call, exactly as browsers send them. */
  readonly corsOrigins: readonly string[]
  /** Requests of one caller in a minute. */
  readonly callerRateLimit: number
}

/** Reads the access file and tells its faults, or what else of the configuration depends on it. */
export type InspectAccessFile = (
  path: string,
) =>
  | { readonly faults: readonly string[] }
  | { readonly hasAccounts: boolean; readonly hasCallers: boolean }

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Adds what is wrong to the faults.
 *
 * @returns the configuration, and whether the access file names accounts, which is undefined when
 * nobody can tell
 */
export const accessFrom = (
  values: Values,
  env: Environment,
  faults: string[],
  inspect: InspectAccessFile | undefined,
): { access: AccessConfig; hasAccounts: boolean | undefined } => {
  const auth = values.AUTH ?? new Set()
  const path = values.ACCESS_FILE
  if (auth.has('keys') && path === undefined) {
    faults.push('ACCESS_FILE: is required with AUTH=keys')
  }
  const found = path !== undefined && inspect !== undefined ? inspect(path) : NOTHING
  if ('faults' in found) faults.push(...found.faults.map((fault) => `ACCESS_FILE: ${fault}`))
  const callersKnown = 'hasCallers' in found && found.hasCallers
  const { HOST = '' } = values
  // On other addresses AUTH is required anyway, and its fault names HOST.
  if (values.AUTH === undefined && isLoopback(HOST) && (callersKnown || values.JWT_JWKS_URL)) {
    faults.push(
      'AUTH: must be set, since there are callers to tell apart (none = let all of them in)',
    )
  }
  const ticketSecret = secretFrom(
    'TICKET_SECRET',
    values.TICKET_SECRET,
    values.TICKET_SECRET_FILE,
    faults,
  )
  const toldOfSecret = faults.some((fault) => fault.startsWith('TICKET_SECRET'))
  if (
    auth.size > 0 &&
    values.STORE_URL?.startsWith('redis') &&
    ticketSecret === undefined &&
    !toldOfSecret
  ) {
    faults.push(
      'TICKET_SECRET: is required with Redis (or TICKET_SECRET_FILE), so that every replica takes the tickets of the others',
    )
  }
  const access = {
    auth,
    file: path,
    jwt: auth.has('jwt') ? jwtFrom(values, env, faults) : undefined,
    ticketSecret,
    ticketSecretFile: values.TICKET_SECRET_FILE,
    corsOrigins: values.CORS_ORIGINS ?? [],
    callerRateLimit: values.CALLER_RATE_LIMIT,
  }
  return { access, hasAccounts: 'faults' in found ? undefined : found.hasAccounts }
}

const NOTHING = { hasAccounts: false, hasCallers: false } as const

const jwtFrom = (values: Values, env: Environment, faults: string[]): AccessConfig['jwt'] => {
  const { JWT_JWKS_URL: jwksUrl, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = values
  for (const name of ['JWT_JWKS_URL', 'JWT_ISSUER', 'JWT_AUDIENCE'] as const) {
    const told = faults.some((fault) => fault.startsWith(`${name}:`))
    if (values[name] === undefined && !told) faults.push(`${name}: is required with AUTH=jwt`)
  }
  if (jwksUrl === undefined || issuer === undefined || audience === undefined) return undefined
  const way = wayTo(jwksUrl, env)
  if (way.kind === 'fault') faults.push(way.fault)
  return {
    jwksUrl,
    issuer,
    audience,
    claimPrefix: values.JWT_CLAIM_PREFIX ?? '',
    proxy: proxyOf(way),
  }
}
