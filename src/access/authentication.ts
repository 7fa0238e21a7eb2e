import type { Authenticator, Credential } from './authenticator.ts'
import { type Caller, SCOPES } from './caller.ts'
import type { JwtClaims, JwtVerifier } from './jwt.ts'
import { accountMissing, missing, refused } from './refusals.ts'
import type { Registry } from './registry.ts'
import { isTicket, type TicketBook, type TicketClaims } from './tickets.ts'

interface AuthenticationOptions {
  /** How callers may prove themselves. Empty = nobody has to. */
  readonly auth: ReadonlySet<'keys' | 'jwt'>
  readonly registry: Registry
  /** Undefined unless `auth` has `jwt`. */
  readonly jwt: JwtVerifier | undefined
  readonly tickets: TicketBook
  /** The names of the lemlist accounts as they are now. */
  readonly accounts: () => readonly string[]
}

const ALL_SCOPES: Caller['scopes'] = new Set(SCOPES)
const NONE: ReadonlySet<string> = new Set()

/** Turns a credential into a caller. */
export const createAuthenticator = (options: AuthenticationOptions): Authenticator => {
  const { auth, registry, jwt, tickets, accounts } = options
  let anonymous = anonymousOf(accounts())
  const theAnonymous = (): Caller => {
    const now = accounts()
    if (anonymous.accounts !== now) anonymous = anonymousOf(now)
    return anonymous
  }

  const byKey = (key: string): Caller => {
    const caller = auth.has('keys') ? registry.byKey(key) : undefined
    if (caller === undefined) throw refused()
    return caller
  }
  const byJwt = (token: string): Caller | Promise<Caller> => {
    if (jwt === undefined) throw refused()
    return then(jwt.verify(token), (claims) => jwtCaller(claims, accounts()))
  }
  /** The rights of a ticket's maker as they are now, with which those of the ticket are cut. */
  const makerOf = ({ maker }: TicketClaims): Caller | undefined => {
    if (maker === 'anonymous') return auth.size === 0 ? theAnonymous() : undefined
    const [, kind, name = ''] = /^(key|jwt):(.*)$/.exec(maker) ?? []
    if (kind === 'key') return auth.has('keys') ? registry.byName(name) : undefined
    if (kind !== 'jwt' || !auth.has('jwt')) return undefined
    // The token is not here any more. Its rights were checked when the ticket was made.
    return { ...theAnonymous(), name: decodeURIComponent(name), id: maker, proof: 'jwt' }
  }
  const byTicket = (ticket: string): Caller | Promise<Caller> =>
    then(tickets.verify(ticket), (claims) => {
      const maker = makerOf(claims)
      if (maker === undefined || !maker.accounts.includes(claims.account)) throw refused()
      return ticketCaller(claims, maker)
    })

  return {
    authenticate: (credential: Credential | undefined) => {
      if (credential === undefined) {
        if (auth.size > 0) throw missing()
        return theAnonymous()
      }
      const { kind, value } = credential
      if (kind === 'ticket' || (kind === 'bearer' && isTicket(value))) return byTicket(value)
      // A program may send a token that was meant for a proxy in front of the gateway.
      if (auth.size === 0) return theAnonymous()
      return kind === 'key' || value.startsWith('leg_') ? byKey(value) : byJwt(value)
    },
  }
}

const then = <T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> =>
  value instanceof Promise ? value.then(next) : next(value)

const anonymousOf = (accounts: readonly string[]): Caller => ({
  name: 'anonymous',
  id: 'anonymous',
  proof: 'none',
  accounts,
  campaigns: undefined,
  exports: NONE,
  scopes: ALL_SCOPES,
})

/** @throws Problem `forbidden` when the token opens no account that there is */
const jwtCaller = (claims: JwtClaims, accounts: readonly string[]): Caller => {
  const { subject, campaigns, scopes } = claims
  const only = accounts.length === 1 ? accounts : []
  const own = claims.accounts?.filter((one) => accounts.includes(one)) ?? only
  if (own.length === 0) throw accountMissing()
  return {
    name: subject,
    // Encoded, so that the id can be joined with others by a slash or a colon.
    id: `jwt:${encodeURIComponent(subject)}`,
    proof: 'jwt',
    accounts: own,
    campaigns,
    exports: NONE,
    scopes,
  }
}

const ticketCaller = (claims: TicketClaims, maker: Caller): Caller => {
  const { campaigns: allowed } = maker
  const within = (ids: ReadonlySet<string>): ReadonlySet<string> =>
    allowed === undefined
      ? ids
      : new Set([...ids].filter((id) => allowed.has(id.split('/', 1)[0] ?? '')))
  return {
    name: maker.name,
    id: maker.id,
    proof: 'ticket',
    accounts: [claims.account],
    campaigns: within(claims.campaigns),
    exports: within(claims.exports),
    scopes: new Set([...claims.scopes].filter((scope) => maker.scopes.has(scope))),
  }
}
