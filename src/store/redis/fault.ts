import { ErrorReply } from '@redis/client'

/**
 * What helps against a failure of Redis: to wait; to give its user a right; or to change a setting
 * of the gateway or of Redis.
 */
export type Cure = 'wait' | 'rights' | 'setting'

/**
 * A failure of Redis, in words of the gateway. An error of Redis repeats the command that it
 * refuses, and the first command holds the password. So nothing of the text of Redis is kept except
 * its first word, which is a code such as `READONLY`.
 */
export class RedisFault extends Error {
  override readonly name = 'RedisFault'
  /** The first word of the reply, or the code of the system. */
  readonly code: string
  readonly cure: Cure
  constructor(code: string, says: string, cure: Cure = 'wait') {
    super(`${says} (${code})`)
    this.code = code
    this.cure = cure
  }
}

interface Known {
  readonly reply: RegExp
  readonly says: string
  readonly cure: Cure
}

const CLUSTER =
  'STORE_URL leads to a Redis Cluster, which the gateway does not support: name one primary'

/** The replies that waiting does not change. */
const KNOWN: readonly Known[] = [
  {
    reply: /^WRONGPASS|^ERR invalid password|^ERR Client sent AUTH/,
    says: 'Redis refuses the user or the password of STORE_URL',
    cure: 'setting',
  },
  {
    reply: /^NOAUTH/,
    says: 'Redis wants a password, and STORE_URL has none: redis://USER:PASSWORD@HOST',
    cure: 'setting',
  },
  {
    reply: /^ERR (invalid )?DB index/,
    says: 'STORE_URL names a database that Redis does not have',
    cure: 'setting',
  },
  {
    reply: /^(MOVED|ASK|CROSSSLOT|CLUSTERDOWN|TRYAGAIN)\b|^ERR SELECT is not allowed in cluster/,
    says: CLUSTER,
    cure: 'setting',
  },
  {
    reply: /^ERR unknown (redis )?command/i,
    says: 'The server of STORE_URL lacks a command that the gateway needs: it is older than Redis 6.0, or a Sentinel, or its command was renamed',
    cure: 'setting',
  },
  {
    reply: /^NOPERM/,
    says: 'The user of STORE_URL lacks a right in Redis; docs/operations.md lists those it needs',
    cure: 'rights',
  },
]

/** Codes of failed connections that waiting does not change. */
const CONNECTION: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'The server of STORE_URL speaks no TLS: rediss:// is wrong',
  ERR_TLS_CERT_ALTNAME_INVALID: 'The certificate of Redis is not for the host of STORE_URL',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'The certificate of Redis is from an authority that is not trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'The certificate of Redis is from an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'The certificate of Redis is from an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'The certificate of Redis is from an authority that is not trusted',
}

/** A code is logged, so it must look like one. */
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/

const replied = (text: string): RedisFault => {
  const [word = ''] = text.split(/\s/, 1)
  const code = CODE.test(word) ? word : 'ERR'
  const known = KNOWN.find(({ reply }) => reply.test(text))
  return known === undefined
    ? new RedisFault(code, 'Redis refuses a command')
    : new RedisFault(code, known.says, known.cure)
}

/** Returns the fault of a rejected command or of a failed connection. It holds no text of Redis. */
export const faultOf = (error: unknown): RedisFault => {
  if (error instanceof RedisFault) return error
  if (error instanceof ErrorReply) return replied(error.message)
  if (!(error instanceof Error)) return new RedisFault('ERROR', 'The connection to Redis failed')
  if (error.message.startsWith('Unknown RESP type')) {
    return new RedisFault('PROTOCOL', 'The server of STORE_URL is no Redis', 'setting')
  }
  if ('code' in error && typeof error.code === 'string' && CODE.test(error.code)) {
    const says = CONNECTION[error.code]
    if (says !== undefined) return new RedisFault(error.code, says, 'setting')
    return new RedisFault(error.code, 'The connection to Redis failed')
  }
  // The class of an error of the client library, such as SocketClosedUnexpectedlyError.
  return new RedisFault(error.constructor.name, 'The connection to Redis failed')
}

/** The modes that `HELLO` tells of servers which are no primary for the gateway. */
export const faultOfMode = (mode: unknown): RedisFault | undefined => {
  if (mode === 'cluster') return new RedisFault('CLUSTER', CLUSTER, 'setting')
  if (mode !== 'sentinel') return undefined
  return new RedisFault('SENTINEL', 'STORE_URL leads to a Sentinel: name the primary', 'setting')
}

/**
 * Whether the server is not, or not any more, the primary. After a failover the address of
 * `STORE_URL` leads to another server, while this connection stays on the old one.
 */
export const isNoPrimary = ({ code }: RedisFault): boolean =>
  code === 'READONLY' || code === 'MASTERDOWN' || code === 'NOREPLICAS'
