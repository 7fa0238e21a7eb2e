import { errors } from 'jose'
import { Problem } from '../problems.ts'

/** The answers to a credential that is missing or does not hold. */

export const missing = (): Problem =>
  new Problem('unauthenticated', 'This route needs a credential: a key, a token or a ticket.')

/**
 * One text for every reason, so that it tells nobody how near a guess was.
 *
 * @param reason for the log only; without the token and what the token says
 */
export const refused = (reason?: unknown): Problem =>
  new Problem('unauthenticated', 'The credential is unknown, expired or malformed.', {
    ...(reason !== undefined && { cause: new Error(reasonOf(reason)) }),
  })

const reasonOf = (reason: unknown): string => {
  // jose's errors hold the claims of the token. Only the code and the name of the claim are taken.
  if (reason instanceof errors.JWTClaimValidationFailed || reason instanceof errors.JWTExpired) {
    return `${reason.code}: the claim ${reason.claim}`
  }
  if (reason instanceof errors.JOSEError) return reason.code
  return reason instanceof Error ? reason.message : 'unknown'
}

export const accountMissing = (): Problem =>
  new Problem('forbidden', 'The token opens no account of this gateway.')
