import { readFileSync } from 'node:fs'
import { isLoopback, key } from './forms.ts'
import { type Way, wayTo } from './proxy.ts'
import { Secret } from './secret.ts'
import { VARIABLES, type Values } from './variables.ts'

export { Secret }

/**
 * All faults of the environment at once. Each fault names its variable and never shows the value.
 */
export class ConfigError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(`The configuration has ${faults.length} fault(s):\n${faults.join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>

export interface Config {
  readonly lemlist: {
    readonly baseUrl: URL
    readonly apiKey: Secret
    /** The file of the key, which is read again on SIGHUP. Undefined when the key is a variable. */
    readonly apiKeyFile: string | undefined
    /** How many calls the gateway makes in any window: the limit minus the reserve. */
    readonly calls: number
    /** How many calls of the limit the gateway leaves free. */
    readonly reserve: number
    readonly windowMs: number
    readonly timeoutMs: number
    /** The proxy on the way to lemlist. Its URL has no credentials. */
    readonly proxy: { readonly url: URL; readonly authorization: Secret | undefined } | undefined
    /** A sentence about the proxy, for the operator. Undefined when no variable names a proxy. */
    readonly aboutProxy: string | undefined
  }
  readonly host: string
  readonly port: number
  readonly loopback: boolean
  readonly storeUrl: string
  readonly storePrefix: string
  readonly poll: {
    readonly firstMs: number
    readonly intervalMs: number
    readonly maxIntervalMs: number
    readonly idleIntervalMs: number
  }
  readonly sse: {
    readonly heartbeatMs: number
    readonly maxAgeMs: number
    readonly cut: Values['SSE_CUT']
    readonly maxStreams: number
  }
  readonly exportTtlMs: number
  readonly fileTtlMs: number
  /**
   * What the gateway's own file links in statuses begin with, without a trailing slash. Undefined
   * when statuses show lemlist's links.
   */
  readonly fileUrlsBase: string | undefined
  /** Where callers reach the gateway. Its path has no trailing slash, unless it is `/`. */
  readonly publicUrl: URL | undefined
  readonly drainDelayMs: number
  readonly shutdownTimeoutMs: number
  readonly docs: boolean
  readonly logLevel: Values['LOG_LEVEL']
}

/**
 * The prefixes of the gateway's variables. An unknown variable with one of them is probably a typo.
 */
const PREFIXES =
  /^(LEMLIST|POLL|SSE|STORE|ACCESS|JWT|TICKET|CORS|CALLER|EXPORT_TTL|FILE|DRAIN|SHUTDOWN|OPS)_/

/**
 * The names of variables that look like the gateway's but are unknown to it. The gateway warns
 * about them and starts all the same.
 */
export const unknownVariables = (env: Environment): string[] =>
  Object.keys(env).filter(
    (name) => PREFIXES.test(name) && !(name in VARIABLES) && !isFromService(name, env[name]),
  )

/**
 * Whether Kubernetes set this variable. It sets some for each Service of the namespace, and so does
 * Docker for a link. A Service `lemlist-export-gateway` makes `LEMLIST_EXPORT_GATEWAY_PORT` and
 * more.
 */
const isFromService = (name: string, value = ''): boolean =>
  /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value))

const QUOTED = /^(["'`]).*\1$/s

/** @throws ConfigError when the file cannot be read or holds no key */
export const readKeyFile = (path: string): Secret => {
  try {
    const parsed = key.safeParse(readFileSync(path, 'utf8').trim())
    if (parsed.success) return new Secret(parsed.data)
  } catch {
    throw new ConfigError(['LEMLIST_API_KEY_FILE: the file cannot be read'])
  }
  throw new ConfigError(['LEMLIST_API_KEY_FILE: the file holds no lemlist API key'])
}

/**
 * Reads the configuration from the environment.
 *
 * @throws ConfigError with every fault at once, by name and without values
 */
export const loadConfig = (env: Environment): Config => {
  const faults: string[] = []
  const parsed: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(VARIABLES)) {
    const fallback = 'default' in variable ? variable.default : undefined
    if (QUOTED.test(env[name] ?? '')) {
      faults.push(
        `${name}: must not be in quotes: \`docker --env-file\` makes them part of the value`,
      )
      continue
    }
    const result = variable.schema.safeParse(env[name] || fallback)
    if (result.success) parsed[name] = result.data
    else faults.push(`${name}: ${result.error.issues[0]?.message ?? 'is not valid'}`)
  }
  // The cast is safe: each value was parsed by its own schema, or it is missing and a fault is
  // noted. With any fault the function throws below, before it makes a configuration.
  const values = parsed as Values
  const apiKey = keyFrom(values, faults)
  if (values.LEMLIST_RATE_RESERVE >= values.LEMLIST_RATE_LIMIT) {
    faults.push('LEMLIST_RATE_RESERVE: must be less than LEMLIST_RATE_LIMIT')
  }
  if (values.POLL_MAX_INTERVAL_MS < values.POLL_INTERVAL_MS) {
    faults.push('POLL_MAX_INTERVAL_MS: must be at least POLL_INTERVAL_MS')
  }
  const loopback = isLoopback(values.HOST ?? '')
  if (values.HOST !== undefined && !loopback && values.AUTH === undefined) {
    faults.push('HOST: is not a loopback address, so AUTH must say how callers are authenticated')
  }
  if (values.FILE_URLS === 'gateway' && values.PUBLIC_URL === undefined) {
    faults.push('PUBLIC_URL: is required with FILE_URLS=gateway')
  }
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    faults.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: must not switch off the verification of certificates',
    )
  }
  // The base URL is missing when it has a fault of its own, which is noted already.
  const way = wayTo(values.LEMLIST_BASE_URL ?? new URL('https://invalid'), env)
  if (way.kind === 'fault') faults.push(way.fault)
  if (faults.length > 0) throw new ConfigError(faults)

  return Object.freeze({
    lemlist: {
      baseUrl: values.LEMLIST_BASE_URL,
      apiKey,
      apiKeyFile: values.LEMLIST_API_KEY_FILE,
      reserve: values.LEMLIST_RATE_RESERVE,
      calls: values.LEMLIST_RATE_LIMIT - values.LEMLIST_RATE_RESERVE,
      windowMs: values.LEMLIST_RATE_WINDOW_MS,
      timeoutMs: values.LEMLIST_TIMEOUT_MS,
      ...proxyOf(way),
    },
    host: values.HOST,
    port: values.PORT,
    loopback,
    storeUrl: values.STORE_URL,
    storePrefix: values.STORE_PREFIX,
    poll: {
      firstMs: values.POLL_FIRST_MS,
      intervalMs: values.POLL_INTERVAL_MS,
      maxIntervalMs: values.POLL_MAX_INTERVAL_MS,
      idleIntervalMs: values.POLL_IDLE_INTERVAL_MS,
    },
    sse: {
      heartbeatMs: values.SSE_HEARTBEAT_MS,
      maxAgeMs: values.SSE_MAX_AGE_MS,
      cut: values.SSE_CUT,
      maxStreams: values.SSE_MAX_STREAMS,
    },
    exportTtlMs: values.EXPORT_TTL_MS,
    fileTtlMs: values.FILE_TTL_MS,
    fileUrlsBase:
      values.FILE_URLS === 'gateway' ? values.PUBLIC_URL?.href.replace(/\/$/, '') : undefined,
    publicUrl: values.PUBLIC_URL,
    drainDelayMs: values.DRAIN_DELAY_MS,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    docs: values.DOCS,
    logLevel: values.LOG_LEVEL,
  })
}

const secretOf = (value: string | undefined): Secret | undefined =>
  value === undefined ? undefined : new Secret(value)

const proxyOf = (way: Way) => ({
  proxy:
    way.kind === 'proxy' ? { url: way.url, authorization: secretOf(way.authorization) } : undefined,
  aboutProxy: way.kind === 'fault' ? undefined : way.about,
})

const keyFrom = (values: Values, faults: string[]): Secret => {
  const { LEMLIST_API_KEY: inline, LEMLIST_API_KEY_FILE: path } = values
  if (inline !== undefined && path !== undefined) {
    faults.push('LEMLIST_API_KEY: must not be set together with LEMLIST_API_KEY_FILE')
  }
  if (path !== undefined) {
    try {
      return readKeyFile(path)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      faults.push(...error.faults)
    }
  }
  const alreadyTold = faults.some((fault) => fault.startsWith('LEMLIST_API_KEY'))
  if (inline === undefined && !alreadyTold) {
    faults.push('LEMLIST_API_KEY: is required (or LEMLIST_API_KEY_FILE)')
  }
  return new Secret(inline ?? '')
}
