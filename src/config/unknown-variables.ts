import { isOneSlipAway } from './slip.ts'
import { VARIABLES } from './variables.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The prefixes of the gateway's variables. An unknown variable with one of them is probably a typo.
 */
const PREFIXES =
  /^(LEMLIST|POLL|SSE|STORE|ACCESS|JWT|TICKET|CORS|CALLER|EXPORT_TTL|FILE|DRAIN|SHUTDOWN|OPS)_/

/**
 * The names of variables that look like the gateway's but are unknown to it: by their prefix, or because
 * they are one slip away from a name, like `AUHT`. The gateway warns about them and starts all the same.
 */
export const unknownVariables = (env: Environment): string[] =>
  Object.keys(env).filter(
    (name) => !(name in VARIABLES) && isLike(name) && !isFromService(name, env[name]),
  )

const isLike = (name: string): boolean =>
  PREFIXES.test(name) || Object.keys(VARIABLES).some((known) => isOneSlipAway(name, known))

/**
 * Whether Kubernetes set this variable. It sets some for each Service of the namespace, and so does
 * Docker for a link. A Service `lemlist-export-gateway` makes `LEMLIST_EXPORT_GATEWAY_PORT` and
 * more.
 */
const isFromService = (name: string, value = ''): boolean =>
  /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value))
