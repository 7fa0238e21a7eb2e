import { z } from 'zod'

const LONGEST_TIMER = 2 ** 31 - 1
const LARGEST_LIMIT = 1_000_000_000

const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,10}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .refine((n) => n >= min && n <= max, `must be a whole number from ${min} to ${max}`)
const duration = (min: number) => whole(min, LONGEST_TIMER)

/** Whether an address or name reaches this machine only. */
export const isLoopback = (host: string): boolean =>
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

/** A lemlist API key. */
export const key = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, 'must be 1 to 512 printable ASCII characters without spaces')

const flag = z.enum(['true', 'false'], 'must be true or false').transform((word) => word === 'true')

const publicUrl = z
  .string()
  .refine((text) => /^https?:\/\/[^/?#@\s]+\/?$/.test(text) && URL.canParse(text), {
    error: 'must be http: or https: with a host, and nothing after it',
  })
  .transform((text) => new URL(text))

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
    schema: z
      .string()
      // sqlite://data/x reads as a host to some and as a path to others; sqlite:///data/x is clear.
      .regex(
        /^(memory:|sqlite:(?!:memory:$|\/\/[^/]).+|rediss?:\/\/[^\s]+)$/s,
        'must be memory:, sqlite:PATH, redis://HOST or rediss://HOST',
      ),
    default: 'sqlite:data/gateway.sqlite',
    about:
      'What is kept, and where: `memory:`, `sqlite:PATH`, or `redis://` and `rediss://` for several replicas.',
  },
  STORE_PREFIX: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, or one of _ . -'),
    default: 'leg',
    about: 'Stands before every key in Redis, so that deployments can share a server.',
  },
  AUTH: {
    schema: z.enum(['none'], 'must be none').optional(),
    about:
      'How callers prove themselves: `none`. Unset is `none` on loopback and refused elsewhere.',
  },
  POLL_FIRST_MS: {
    schema: duration(10),
    default: '1000',
    about: 'First look at a watched export after it became known as pending, milliseconds.',
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
  POLL_IDLE_INTERVAL_MS: {
    schema: duration(10),
    default: '60000',
    about: 'Interval of looks at an export that nobody watches, milliseconds.',
  },
  SSE_HEARTBEAT_MS: {
    schema: duration(10),
    default: '15000',
    about: 'Comments keep streams awake this often, milliseconds. Less than any proxy waits.',
  },
  SSE_MAX_AGE_MS: {
    schema: duration(10),
    default: '600000',
    about: 'A stream is cut and comes back after 80 to 100 % of this, milliseconds.',
  },
  SSE_MAX_STREAMS: {
    schema: whole(1, LARGEST_LIMIT),
    default: '20000',
    about: 'Open streams, and as many waits of `Prefer`, at once.',
  },
  EXPORT_TTL_MS: {
    schema: duration(1),
    default: '7200000',
    about:
      "lemlist's 2 h. An export that nobody watches is followed for an eighth longer, milliseconds.",
  },
  FILE_TTL_MS: {
    schema: duration(1),
    default: '86400000',
    about: "lemlist's 24 h between the end of an export and the end of its file, milliseconds.",
  },
  FILE_URLS: {
    schema: z.enum(['upstream', 'gateway'], 'must be upstream or gateway'),
    default: 'upstream',
    about:
      "What `status.url` says: `upstream` is lemlist's own link, byte for byte; `gateway` is the gateway's file route.",
  },
  PUBLIC_URL: {
    schema: publicUrl.optional(),
    about:
      'Where callers reach the gateway. Needed for `FILE_URLS=gateway`; its host is served besides those of loopback.',
  },
  DRAIN_DELAY_MS: {
    schema: duration(0),
    default: '0',
    about:
      'Between saying "not ready" and closing the port, milliseconds: what a load balancer needs to notice. 5000 in the image.',
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

/** What the variables hold once each is checked. */
export type Values = {
  readonly [Name in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[Name]['schema']>
}
