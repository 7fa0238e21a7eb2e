import { type AccessConfig, accessFrom, type InspectAccessFile } from './access.ts'
import { ConfigError } from './config-error.ts'
import { isLoopback } from './forms.ts'
import { type ProxyUse, proxyOf, wayTo } from './proxy.ts'
import { Secret } from './secret.ts'
import { secretFrom } from './secret-files.ts'
import { VARIABLES, type Values } from './variables.ts'

export { ConfigError, Secret }

type Environment = Readonly<Record<string, string | undefined>>

export interface Config {
  readonly lemlist: {
    readonly baseUrl: URL
    /** Undefined when the access file names the accounts. */
    readonly apiKey: Secret | undefined
    /** The file of the key, which is read again on SIGHUP. Undefined when the key is a variable. */
    readonly apiKeyFile: string | undefined
    /** How many calls the gateway makes in any window: the limit minus the reserve. */
    readonly calls: number
    /** How many calls of the limit the gateway leaves free. */
    readonly reserve: number
    readonly windowMs: number
    readonly timeoutMs: number
    /** The proxy on the way to lemlist. */
    readonly proxy: ProxyUse | undefined
    /** A sentence about the proxy, for the operator. Undefined when no variable names a proxy. */
    readonly aboutProxy: string | undefined
  }
  readonly host: string
  readonly port: number
  /** The port of the metrics. Undefined when nobody wants them. */
  readonly opsPort: number | undefined
  readonly loopback: boolean
  /** It may hold a password. */
  readonly storeUrl: Secret
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
    readonly maxStreamsPerCaller: number
  }
  readonly access: AccessConfig
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
  /** Undefined when nobody wants traces. */
  readonly traces:
    | {
        readonly endpoint: string
        readonly headers: Readonly<Record<string, Secret>>
        readonly serviceName: string
        readonly ratio: number
      }
    | undefined
  readonly docs: boolean
  readonly logLevel: Values['LOG_LEVEL']
}

const QUOTED = /^(["'`]).*\1$/s

/**
 * Reads the configuration from the environment.
 *
 * @param inspectAccessFile reads the access file, so that its faults are told with all others;
 * without it the file is not read
 * @throws ConfigError with every fault at once, by name and without values
 */
export const loadConfig = (env: Environment, inspectAccessFile?: InspectAccessFile): Config => {
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
  const { access, hasAccounts } = accessFrom(values, env, faults, inspectAccessFile)
  const apiKey = keyFrom(values, faults, hasAccounts)
  if (values.LEMLIST_RATE_RESERVE >= values.LEMLIST_RATE_LIMIT) {
    faults.push('LEMLIST_RATE_RESERVE: must be less than LEMLIST_RATE_LIMIT')
  }
  if (values.POLL_MAX_INTERVAL_MS < values.POLL_INTERVAL_MS) {
    faults.push('POLL_MAX_INTERVAL_MS: must be at least POLL_INTERVAL_MS')
  }
  if (values.OPS_PORT !== undefined && values.OPS_PORT > 0 && values.OPS_PORT === values.PORT) {
    faults.push('OPS_PORT: must differ from PORT')
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
  // The way to the JWKS may have the same fault.
  if (way.kind === 'fault' && !faults.includes(way.fault)) faults.push(way.fault)
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
      proxy: proxyOf(way),
      aboutProxy: way.kind === 'fault' ? undefined : way.about,
    },
    host: values.HOST,
    port: values.PORT,
    opsPort: values.OPS_PORT,
    loopback,
    storeUrl: new Secret(values.STORE_URL),
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
      maxStreamsPerCaller: values.SSE_MAX_STREAMS_PER_CALLER,
    },
    access,
    exportTtlMs: values.EXPORT_TTL_MS,
    fileTtlMs: values.FILE_TTL_MS,
    fileUrlsBase:
      values.FILE_URLS === 'gateway' ? values.PUBLIC_URL?.href.replace(/\/$/, '') : undefined,
    publicUrl: values.PUBLIC_URL,
    drainDelayMs: values.DRAIN_DELAY_MS,
    shutdownTimeoutMs: values.SHUTDOWN_TIMEOUT_MS,
    traces: tracesFrom(values),
    docs: values.DOCS,
    logLevel: values.LOG_LEVEL,
  })
}

const tracesFrom = (values: Values): Config['traces'] => {
  const endpoint = values.OTEL_EXPORTER_OTLP_ENDPOINT
  if (endpoint === undefined) return undefined
  const headers = Object.entries(values.OTEL_EXPORTER_OTLP_HEADERS ?? {})
  return {
    endpoint,
    headers: Object.fromEntries(headers.map(([name, value]) => [name, new Secret(value)])),
    serviceName: values.OTEL_SERVICE_NAME,
    ratio: values.OTEL_TRACES_SAMPLER_ARG,
  }
}

/** @param hasAccounts whether the access file names accounts; undefined when it is faulty */
const keyFrom = (
  values: Values,
  faults: string[],
  hasAccounts: boolean | undefined,
): Secret | undefined => {
  const { LEMLIST_API_KEY: inline, LEMLIST_API_KEY_FILE: path } = values
  if (hasAccounts === true) {
    for (const name of ['LEMLIST_API_KEY', 'LEMLIST_API_KEY_FILE'] as const) {
      if (values[name] !== undefined) {
        faults.push(`${name}: must not be set when ACCESS_FILE names accounts`)
      }
    }
    return undefined
  }
  const key = secretFrom('LEMLIST_API_KEY', inline, path, faults)
  const alreadyTold = faults.some((fault) => fault.startsWith('LEMLIST_API_KEY'))
  if (key === undefined && hasAccounts === false && !alreadyTold) {
    faults.push('LEMLIST_API_KEY: is required (or LEMLIST_API_KEY_FILE)')
  }
  return key
}
