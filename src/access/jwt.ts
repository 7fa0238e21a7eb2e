import { type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { SCOPES, type Scope } from './caller.ts'
import { requireCompact } from './compact.ts'
import { createKeySet, type Fetch } from './key-set.ts'
import { refused } from './refusals.ts'
import { createVerified, type Measure } from './verified.ts'

/** What a JWT says about its caller. */
export interface JwtClaims {
  /** The claim `sub`: 1 to 255 characters. */
  readonly subject: string
  /** Undefined = the only account there is. */
  readonly accounts: readonly string[] | undefined
  /** Undefined = all campaigns of the accounts. */
  readonly campaigns: ReadonlySet<string> | undefined
  readonly scopes: ReadonlySet<Scope>
}

export interface JwtOptions {
  readonly jwksUrl: URL
  readonly issuer: string
  readonly audience: string
  /** Stands before the names of the claims `accounts` and `campaigns`. May be empty. */
  readonly claimPrefix: string
}

interface JwtVerifierOptions {
  readonly jwt: JwtOptions
  readonly fetch: Fetch
  /** Epoch milliseconds. */
  readonly now: () => number
  readonly onTrouble?: ((error: unknown) => void) | undefined
  readonly bounds?: Measure | undefined
}

export interface JwtVerifier {
  /** @throws Problem `unauthenticated`, or `overloaded` while the keys were never fetched */
  verify(token: string): JwtClaims | Promise<JwtClaims>
}

/**
 * Asymmetric algorithms only. With HS256 in the list, whoever knows a public key could sign
 * (RFC 8725, 3.1).
 */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'EdDSA'],
]
/** Clocks of the provider and of the gateway may differ by this, seconds. */
const TOLERANCE_S = 30

export const createJwtVerifier = (options: JwtVerifierOptions): JwtVerifier => {
  const { jwt, fetch, now, onTrouble, bounds } = options
  const keys = createKeySet({ url: jwt.jwksUrl, fetch, now, onTrouble })
  const verified = createVerified<JwtClaims>(now, undefined, (used) => bounds?.('tokens', used))

  const check = async (token: string): Promise<JwtClaims> => {
    let era = -1
    requireCompact(token)
    try {
      const { payload } = await jwtVerify(
        token,
        async (header, input) => {
          const found = await keys.find(header, input)
          era = found.era
          return found.key
        },
        {
          algorithms: ALGORITHMS,
          issuer: jwt.issuer,
          audience: jwt.audience,
          requiredClaims: ['exp', 'sub'],
          clockTolerance: TOLERANCE_S,
          currentDate: new Date(now()),
        },
      )
      const claims = claimsOf(payload, jwt.claimPrefix)
      verified.set(token, claims, (Number(payload.exp) + TOLERANCE_S) * 1_000, era)
      return claims
    } catch (error) {
      throw error instanceof Problem ? error : refused(error)
    }
  }

  return {
    verify: (token) => {
      keys.freshen()
      return verified.get(token, keys.era()) ?? check(token)
    },
  }
}

/** OpenID Connect Core, 2, allows 255 characters. Control characters would spoil a log. */
const subject = z.string().regex(/^[^\p{Cc}\p{Cs}]{1,255}$/u)
const names = z.array(z.string()).max(1_000)

/** @throws Problem `unauthenticated` when a claim has not the form that it must have */
const claimsOf = (payload: JWTPayload, prefix: string): JwtClaims => {
  const accounts = names.optional().safeParse(payload[`${prefix}accounts`])
  const campaigns = names.optional().safeParse(payload[`${prefix}campaigns`])
  const sub = subject.safeParse(payload.sub)
  const scopes = scopesOf(payload)
  if (!accounts.success || !campaigns.success || !sub.success || scopes === undefined) {
    throw refused(new Error('a claim of the token has a wrong form'))
  }
  return {
    subject: sub.data,
    accounts: accounts.data && [...new Set(accounts.data)],
    campaigns: campaigns.data && new Set(campaigns.data),
    scopes,
  }
}

/**
 * `scope` is a string with spaces (RFC 9068, 2.2.3), `scp` is a list, and at some providers a string
 * as well. Words that are no scopes of ours are for others. Undefined = a wrong form.
 */
const scopesOf = ({ scope, scp }: JWTPayload): ReadonlySet<Scope> | undefined => {
  const claim = scope ?? scp
  if (claim === undefined) return new Set(SCOPES)
  const words = typeof claim === 'string' ? claim.split(' ') : names.safeParse(claim).data
  return (
    words &&
    new Set(SCOPES.filter((one) => words.includes(one) || words.includes(`exports:${one}`)))
  )
}
