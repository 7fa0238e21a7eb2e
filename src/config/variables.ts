import { z } from 'zod'
import { ACCESS_VARIABLES } from './access-variables.ts'
import {
  baseUrl,
  duration,
  flag,
  isRedisUrl,
  key,
  LARGEST_LIMIT,
  listeningHost,
  publicUrl,
  whole,
} from './forms.ts'
import { TRACE_VARIABLES } from './trace-variables.ts'

/**
 * Every variable that the gateway reads, with its check, its default and its meaning. The table in
 * docs/configuration.md is made from this by `npm run docs:config`.
 */
export const VARIABLES = {
  LEMLIST_API_KEY: {
    schema: key.optional(),
    secret: true,
    about:
      'The lemlist API key. Either this variable or `LEMLIST_API_KEY_FILE` is required, unless `ACCESS_FILE` names accounts. Then both must be unset.',
  },
  LEMLIST_API_KEY_FILE: {
    schema: z.string().optional(),
    about: 'A file that holds the lemlist API key. The gateway reads it again on `SIGHUP`.',
  },
  LEMLIST_BASE_URL: {
    schema: baseUrl,
    default: 'https://api.lemlist.com/api',
    about: 'The base URL of the lemlist API. `http:` is allowed for loopback only.',
  },
  LEMLIST_RATE_LIMIT: {
    schema: whole(1, LARGEST_LIMIT),
    default: '20',
    about: 'How many calls lemlist allows one key in one window.',
  },
  LEMLIST_RATE_RESERVE: {
    schema: whole(0, LARGEST_LIMIT),
    default: '4',
    about:
      'How many calls of the limit the gateway leaves free. It must be less than `LEMLIST_RATE_LIMIT`.',
  },
  LEMLIST_RATE_WINDOW_MS: {
    schema: duration(10),
    default: '2000',
    about: "The length of lemlist's window, milliseconds.",
  },
  LEMLIST_TIMEOUT_MS: {
    schema: duration(10),
    default: '10000',
    about:
      'The deadline of a whole call to lemlist, milliseconds. A caller waits at most half of this time before its call to lemlist leaves.',
  },
  HTTPS_PROXY: {
    schema: z.string().optional(),
    secret: true,
    about:
      'A proxy for the calls to lemlist and to `JWT_JWKS_URL`, `http://HOST:PORT` or `https://HOST:PORT`, with `USER:PASSWORD@` before the host if the proxy asks for them. See [below](#behind-a-proxy).',
  },
  HTTP_PROXY: {
    schema: z.string().optional(),
    secret: true,
    about: 'The proxy when `HTTPS_PROXY` is unset, and the only one for a base URL with `http:`.',
  },
  NO_PROXY: {
    schema: z.string().optional(),
    about:
      'Hosts that the gateway calls without the proxy, separated by commas or blanks. `*` stands for every host.',
  },
  HOST: {
    schema: listeningHost,
    default: '127.0.0.1',
    about: 'The address to listen on. With an address that is not loopback, `AUTH` must be set.',
  },
  PORT: {
    schema: whole(0, 65_535),
    default: '8080',
    about: 'The port to listen on. 0 = any free port.',
  },
  OPS_PORT: {
    schema: whole(0, 65_535).optional(),
    about:
      "The port on which operators read `GET /metrics`, for Prometheus, and `GET /exports`, what is followed now. It also serves `/health/live` and `/health/ready`. It listens on `HOST` and wants no credential, so only the operator's network must reach it. When it is unset, there is no such port. 0 = any free port; else it must differ from `PORT`.",
  },
  STORE_URL: {
    schema: z
      .string()
      // Some programs read `data` in sqlite://data/x as a host, others as a part of the path. So
      // this form is refused. sqlite:///data/x is clear.
      .regex(
        /^(memory:|sqlite:(?!:memory:$|\/\/[^/]).+|rediss?:\/\/[^\s]+)$/s,
        'must be memory:, sqlite:PATH, redis://HOST or rediss://HOST',
      )
      .refine(
        (text) => !text.startsWith('redis') || isRedisUrl(text),
        'must be redis://USER:PASSWORD@HOST:PORT/DATABASE; percent-encode the password (# is %23, / is %2F, % is %25)',
      ),
    secret: true,
    default: 'sqlite:data/gateway.sqlite',
    about:
      'The store. `memory:` keeps data until the process ends, `sqlite:PATH` keeps it in a file, and `redis://…` or `rediss://…` shares it between several replicas. A password in the URL must be percent-encoded.',
  },
  STORE_PREFIX: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, or one of _ . -'),
    default: 'leg',
    about: 'The prefix of every key in Redis, so that several deployments can share one Redis.',
  },
  ...ACCESS_VARIABLES,
  ...TRACE_VARIABLES,
  POLL_FIRST_MS: {
    schema: duration(10),
    default: '1000',
    about:
      'The time between the moment at which a watched export becomes known as pending and the next look at it, milliseconds.',
  },
  POLL_INTERVAL_MS: {
    schema: duration(10),
    default: '5000',
    about:
      'The interval between looks at a watched export while it is young (for six intervals: 30 s by default), milliseconds.',
  },
  POLL_MAX_INTERVAL_MS: {
    schema: duration(10),
    default: '15000',
    about:
      'The interval between looks at a watched export grows with its age up to this, milliseconds. It must be at least `POLL_INTERVAL_MS`.',
  },
  POLL_IDLE_INTERVAL_MS: {
    schema: duration(10),
    default: '60000',
    about: 'The interval between looks at an export that nobody watches, milliseconds.',
  },
  SSE_HEARTBEAT_MS: {
    schema: duration(10),
    default: '15000',
    about:
      'How often the gateway sends a comment on every stream, milliseconds. It must be shorter than the idle time-out of every proxy on the way.',
  },
  SSE_MAX_AGE_MS: {
    schema: duration(10),
    default: '600000',
    about:
      'The longest life of a stream, milliseconds. The gateway cuts a stream after 80 to 100 % of this time, and the client reconnects.',
  },
  SSE_CUT: {
    schema: z.enum(['abrupt', 'clean'], 'must be abrupt or clean'),
    default: 'abrupt',
    about:
      'How a stream ends whose client must come back, because the stream is old or the gateway stops. `abrupt` = the connection breaks, and every client library reconnects. `clean` = the response is complete, for proxies that do not pass a broken response on (Vite, webpack, Next, http-proxy-middleware).',
  },
  SSE_MAX_STREAMS: {
    schema: whole(1, LARGEST_LIMIT),
    default: '20000',
    about:
      'How many streams may be open at once. In addition, as many requests may wait with `Prefer: wait`.',
  },
  SSE_MAX_STREAMS_PER_CALLER: {
    schema: whole(1, LARGEST_LIMIT),
    default: '1000',
    about: 'How many streams one authenticated caller may have open at once on one replica.',
  },
  EXPORT_TTL_MS: {
    schema: duration(1),
    default: '7200000',
    about:
      'How long lemlist keeps a pending export (2 h), milliseconds. The gateway follows an export that nobody watches for an eighth longer.',
  },
  FILE_TTL_MS: {
    schema: duration(1),
    default: '86400000',
    about:
      'How long lemlist keeps the file of an export after the export has ended (24 h), milliseconds.',
  },
  FILE_URLS: {
    schema: z.enum(['upstream', 'gateway'], 'must be upstream or gateway'),
    default: 'upstream',
    about:
      "The link in `status.url`. `upstream` = lemlist's own link, and the body stays as it is, byte for byte. `gateway` = the URL of the gateway's file route.",
  },
  PUBLIC_URL: {
    schema: publicUrl.optional(),
    about:
      'The URL by which callers reach the gateway. It may have a path, when a proxy serves the gateway below one. Required with `FILE_URLS=gateway`. A gateway on loopback also accepts the host of this URL, and pages of this host may start exports.',
  },
  DRAIN_DELAY_MS: {
    schema: duration(0),
    default: '0',
    about:
      'How long a gateway that stops says "not ready" before it closes its port, milliseconds. A load balancer needs this time to notice. It is 5000 in the image.',
  },
  SHUTDOWN_TIMEOUT_MS: {
    schema: duration(1),
    default: '25000',
    about:
      'How long a graceful stop may take, `DRAIN_DELAY_MS` included, milliseconds. After this time the process ends at once, with code 1.',
  },
  DOCS: {
    schema: flag,
    default: 'true',
    about: 'Whether the gateway serves Swagger UI and the live page.',
  },
  LOG_LEVEL: {
    schema: z.enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
      'must be fatal, error, warn, info, debug, trace or silent',
    ),
    default: 'info',
    about:
      'The lowest level that is logged. The log has JSON lines, and lines for people on a terminal if the development packages are installed.',
  },
} as const satisfies Record<
  string,
  {
    readonly schema: z.ZodType
    /** The value is a secret, or may hold one. */
    readonly secret?: true
    readonly default?: string
    readonly about: string
  }
>

/** The values of the variables after their checks. */
export type Values = {
  readonly [Name in keyof typeof VARIABLES]: z.output<(typeof VARIABLES)[Name]['schema']>
}
