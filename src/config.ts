import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { z } from 'zod'

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

const LONGEST_TIMER = 2 ** 31 - 1
const LARGEST_LIMIT = 1_000_000_000

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be a whole number from ${min} to ${max}`)
const duration = (min: number) => whole(min, LONGEST_TIMER)

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

const baseUrl = z
  .string()
  .refine((text) => URL.canParse(text), 'must be an absolute URL')
  .refine((text) => {
    if (!URL.canParse(text)) return true
    const { protocol, hostname } = new URL(text)
    return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
  }, 'must be https: (http: only for loopback)')
  .refine((text) => {
    if (!URL.canParse(text)) return true
    const { username, password, search, hash } = new URL(text)
    return `${username}${password}${search}${hash}` === ''
  }, 'must have no user, password, query or fragment')
  .transform((text) => new URL(text.replace(/\/+$/, '')))

const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 printable ASCII characters without spaces')

const flag = z.enum(['true', 'false'], 'must be true or false').transform((word) => word === 'true')

/**
 * Every variable the gateway reads: how it is checked, what it is by default, what it means. The
 * table in docs/configuration.md is made from this.
 */
export const VARIABLES = {
  LEMLIST_API_KEY: {
    schema: key.optional(),
    about: 'The lemlist API key. This or `LEMLIST_API_KEY_FILE` is required.',
  },
  LEMLIST_API_KEY_FILE: {
    schema: z.string().optional(),
    about: 'A file that holds the lemlist API key; read again on `SIGHUP`.',
  },
  LEMLIST_BASE_URL: {
    schema: baseUrl,
    default: 'https://api.lemlist.com/api',
    about: 'Where lemlist answers. `http:` only for loopback.',
  },
  LEMLIST_RATE_LIMIT: {
    schema: whole(1, LARGEST_LIMIT),
    default: '20',
    about: 'Calls that lemlist allows one key in a window.',
  },
  LEMLIST_RATE_RESERVE: {
    schema: whole(0, LARGEST_LIMIT),
    default: '4',
    about: 'Calls of the limit that the gateway leaves alone. Less than the limit.',
  },
  LEMLIST_RATE_WINDOW_MS: {
    schema: duration(10),
    default: '2000',
    about: "lemlist's window, milliseconds.",
  },
  LEMLIST_TIMEOUT_MS: {
    schema: duration(10),
    default: '10000',
    about:
      'Deadline of a whole call to lemlist, milliseconds. A caller waits at most half of it for a free call.',
  },
  HOST: {
    schema: z.string().regex(/^[A-Za-z0-9.:[\]_-]{1,255}$/, 'must be a host name or address'),
    default: '127.0.0.1',
    about: 'Address to listen on. One that is not loopback needs `AUTH`.',
  },
  PORT: {
    schema: whole(0, 65_535),
    default: '8080',
    about: 'Port to listen on; 0 = any free one.',
  },
  STORE_URL: {
    schema: z.string().regex(/^(memory:|sqlite:.+)$/s, 'must be memory: or sqlite:PATH'),
    default: 'sqlite:data/gateway.sqlite',
    about: 'Where final answers are kept: `memory:` or `sqlite:PATH`.',
  },
  AUTH: {
    schema: z.enum(['none'], 'must be none').optional(),
    about:
      'How callers prove themselves: `none`. Unset is `none` on loopback and refused elsewhere.',
  },
  POLL_INTERVAL_MS: {
    schema: duration(10),
    default: '5000',
    about: 'Interval of looks at a pending export in its first 30 s, milliseconds.',
  },
  POLL_MAX_INTERVAL_MS: {
    schema: duration(10),
    default: '15000',
    about: 'Interval that looks grow to, milliseconds. At least `POLL_INTERVAL_MS`.',
  },
  FILE_TTL_MS: {
    schema: duration(1),
    default: '86400000',
    about: "lemlist's 24 h between the end of an export and the end of its file, milliseconds.",
  },
  SHUTDOWN_TIMEOUT_MS: {
    schema: duration(1),
    default: '25000',
    about: 'After this a graceful stop becomes a hard one, milliseconds.',
  },
  DOCS: { schema: flag, default: 'true', about: 'Swagger UI on or off.' },
  LOG_LEVEL: {
    schema: z.enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    ),
    default: 'info',
    about: 'The least level that is logged. Pretty on a terminal, JSON lines elsewhere.',
  },
} as const satisfies Record<
  string,
  { readonly schema: z.ZodType; readonly default?: string; readonly about: string }
>

type Values = {
  readonly [Name in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[Name]['schema']>
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
    readonly windowMs: number
    readonly timeoutMs: number
  }
  readonly host: string
  readonly port: number
  readonly loopback: boolean
  readonly storeUrl: string
  readonly poll: { readonly intervalMs: number; readonly maxIntervalMs: number }
  readonly fileTtlMs: number
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
  if (env.NODE_TLS_REJECT_UNAUTHORIZED === '0') {
    faults.push('NODE_TLS_REJECT_UNAUTHORIZED: must not switch off the check of certificates')
  }
  if (faults.length > 0) throw new ConfigError(faults)

  return Object.freeze({
    lemlist: {
      baseUrl: values.LEMLIST_BASE_URL,
      apiKey,
      apiKeyFile: values.LEMLIST_API_KEY_FILE,
      calls: values.LEMLIST_RATE_LIMIT - values.LEMLIST_RATE_RESERVE,
      windowMs: values.LEMLIST_RATE_WINDOW_MS,
      timeoutMs: values.LEMLIST_TIMEOUT_MS,
    },
    host: values.HOST,
    port: values.PORT,
    loopback,
    storeUrl: values.STORE_URL,
    poll: { intervalMs: values.POLL_INTERVAL_MS, maxIntervalMs: values.POLL_MAX_INTERVAL_MS },
    fileTtlMs: values.FILE_TTL_MS,
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
