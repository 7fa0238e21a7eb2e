import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authenticator } from '../access/authenticator.ts'
import type { Caller } from '../access/caller.ts'
import type { Bounds } from '../exports/bounds.ts'
import { Problem } from '../problems.ts'
import { createCallerLimit } from './caller-limit.ts'
import { credentialOf, optionalCredentialOf } from './credentials.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route needs no credential. */
    open?: boolean
    /** Whether the route takes a ticket in its query, for clients that cannot send headers. */
    takesTicket?: boolean
    /**
     * Answers trouble that passes where an HTTP status would do harm: it ends an EventSource for
     * good.
     */
    turnAway?: (request: FastifyRequest, reply: FastifyReply, problem: Problem) => void
  }
}

interface AuthenticateOptions {
  readonly authenticator: Authenticator
  /** Whether callers must prove themselves. If not, nobody is counted or limited. */
  readonly isRequired: boolean
  /** How many requests each caller may make in a minute on this replica. */
  readonly callerRateLimit: number
  readonly bounds?: Bounds | undefined
}

/** The account that the header names, or the caller's first. Undefined if it is not his. */
const accountOf = (
  { headers }: FastifyRequest,
  { accounts }: Pick<Caller, 'accounts'>,
): string | undefined => {
  const named = headers['x-lemlist-account'] ?? accounts[0]
  return typeof named === 'string' && accounts.includes(named) ? named : undefined
}

const OVER_THE_LIMIT = 'This caller has reached its limit of requests a minute.'
const CHALLENGE = 'Bearer'
/** RFC 6750, section 3: the credential is expired, malformed or not known. */
const CHALLENGE_BROKEN = 'Bearer error="invalid_token"'

/** Notes the caller, once for each request, before the route sees anything of it. */
export const authenticateCallers = (
  app: FastifyInstance,
  { authenticator, isRequired, callerRateLimit, bounds }: AuthenticateOptions,
): void => {
  const collect = isRequired ? credentialOf : optionalCredentialOf
  const limit = createCallerLimit(callerRateLimit, bounds)

  app.addHook('onRequest', (request, reply, done) => {
    const { notes } = request
    const { config } = notes
    if (config.open === true || request.is404) return done()
    let isBroken = false
    const refuse = (error: unknown): void => {
      if (error instanceof Problem && error.code === 'unauthenticated') {
        reply.header('www-authenticate', isBroken ? CHALLENGE_BROKEN : CHALLENGE)
      }
      const passes = error instanceof Problem && error.retryable
      if (passes && config.turnAway !== undefined) config.turnAway(request, reply, error)
      // Whatever was thrown, the error handler makes a problem of it.
      else done(error as Error)
    }
    const admit = (caller: Caller): void => {
      // He left while his credential was checked. Nobody would hear of what is done, above all of a start.
      if (reply.raw.destroyed) return
      notes.caller = caller
      notes.account = accountOf(request, caller)
      const retryAfterMs = isRequired ? limit.take(caller.id, notes.startedAt) : 0
      if (retryAfterMs === 0) done()
      else refuse(new Problem('rate-limited', OVER_THE_LIMIT, { retryAfterMs }))
    }
    try {
      const credential = collect(request, config.takesTicket === true)
      isBroken = credential !== undefined
      const caller = authenticator.authenticate(credential)
      if (caller instanceof Promise) caller.then(admit, refuse)
      else admit(caller)
    } catch (error) {
      refuse(error)
    }
  })
}
