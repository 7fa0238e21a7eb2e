import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { isLoopback, key, VARIABLES, type Values } from './variables.ts'

/** A value that no log, error or inspection shows. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  toJSON(): string {
    return '[secret]'
  }

  toString(): string {
    return '[secret]'
  }

  [inspect.custom](): string {
    return '[secret]'
  }
}

/** All that is wrong with the environment, by name and without values. */
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
    /** Set when the key can change: the file to read again on SIGHUP. */
    readonly apiKeyFile: string | undefined
    /** Calls in any window: limit less reserve. */
    readonly calls: number
    /** Calls of the limit that are left alone. */
    readonly reserve: number
    readonly windowMs: number
    readonly timeoutMs: number
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
    readonly maxStreams: number
  }
  readonly exportTtlMs: number
  readonly fileTtlMs: number
  /** Set when statuses show the gateway's own file links; without a trailing slash. */
  readonly fileUrlsBase: string | undefined
  /** Host and port by which callers name the gateway. */
  readonly publicHost: string | undefined
  readonly drainDelayMs: number
  readonly shutdownTimeoutMs: number
  readonly docs: boolean
  readonly logLevel: Values['LOG_LEVEL']
}

/** The prefixes of our names: another variable that starts with one is most likely a typo. */
const PREFIXES =
  /^(LEMLIST|POLL|SSE|STORE|ACCESS|JWT|TICKET|CORS|CALLER|EXPORT_TTL|FILE|DRAIN|SHUTDOWN|OPS)_/

/** Names of variables that look like ours and are not: told to the operator, not refused. */
export const unknownVariables = (env: Environment): string[] =>
  Object.keys(env).filter((name) => PREFIXES.test(name) && !(name in VARIABLES))

/** @throws ConfigError when the file cannot be read or holds no key */
export const readKeyFile = (path: string): Secret => {
  try {
    const parsed = key.safeParse(readFileSync(path, 'utf8').trim())
    if (parsed.success) return new Secret(parsed.data)
  } catch {
    throw new ConfigError(['LEMLIST_API_KEY_FILE: cannot be read'])
  }
  throw new ConfigError(['LEMLIST_API_KEY_FILE: holds no lemlist API key'])
}

/** @throws ConfigError with every fault at once, by name and without values */
export const loadConfig = (env: Environment): Config => {
  const faults: string[] = []
  const parsed: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(VARIABLES)) {
    const fallback = 'default' in variable ? variable.default : undefined
    const result = variable.schema.safeParse(env[name] || fallback)
    if (result.success) parsed[name] = result.data
    else faults.push(`${name}: ${result.error.issues[0]?.message ?? 'is not valid'}`)
  }
  // Each member was parsed by its own schema or is a fault, and faults are thrown before use.
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
    faults.push('HOST: listens beyond loopback, so AUTH must say how callers prove themselves')
  }
  if (values.FILE_URLS === 'gateway' && values.PUBLIC_URL === undefined) {
    faults.push('PUBLIC_URL: is required with FILE_URLS=gateway')
  }
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    faults.push('NODE_TLS_REJECT_UNAUTHORIZED: must not switch off the check of certificates')
  }
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
      maxStreams: values.SSE_MAX_STREAMS,
    },
    exportTtlMs: values.EXPORT_TTL_MS,
    fileTtlMs: values.FILE_TTL_MS,
    fileUrlsBase: values.FILE_URLS === 'gateway' ? values.PUBLIC_URL?.origin : undefined,
    publicHost: values.PUBLIC_URL?.host,
    drainDelayMs: values.DRAIN_DELAY_MS,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    docs: values.DOCS,
    logLevel: values.LOG_LEVEL,
  })
}

const keyFrom = (values: Values, faults: string[]): Secret => {
  const { LEMLIST_API_KEY: inline, LEMLIST_API_KEY_FILE: path } = values
  if (inline !== undefined && path !== undefined) {
    faults.push('LEMLIST_API_KEY: set together with LEMLIST_API_KEY_FILE; set one of them')
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
