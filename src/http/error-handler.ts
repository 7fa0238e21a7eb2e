import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { Problem, type ProblemCode, toDocument } from '../problems.ts'
import { type Logger, lineWriter } from '../telemetry/log.ts'
import { type CountRequest, logAtEnd } from './request-log.ts'
import { pathOf } from './request-target.ts'
import type { MethodsOf } from './route-methods.ts'

/**
 * The only place that turns an error into a Fastify reply. What never becomes a request is answered
 * in client-error.ts.
 */

export const PROBLEM_TYPE = 'application/problem+json'

export const sendProblem = (request: FastifyRequest, reply: FastifyReply, problem: Problem) => {
  request.notes.problem = problem
  const { retryAfterMs, allow } = problem.options
  if (retryAfterMs !== undefined) {
    reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
  }
  if (allow !== undefined) reply.header('allow', allow)
  // The body is sent as bytes. To the content type of a string Fastify would add a `charset`, and
  // RFC 9457 defines no such parameter.
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .header('x-request-id', request.id)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(toDocument(problem, request.id))))
}

const BROKEN_ENCODING = 'is not percent-encoded UTF-8'
const noJson = (message: string): Problem =>
  new Problem('invalid-request', 'The request is malformed.', { errors: [{ path: '', message }] })

/** The problems for Fastify's own errors, by their error code. */
const FASTIFY_PROBLEMS: Readonly<Record<string, () => Problem>> = {
  FST_ERR_BAD_URL: () =>
    new Problem('invalid-request', 'The URL is not well-formed.', {
      errors: [{ path: '', message: BROKEN_ENCODING }],
    }),
  FST_ERR_CTP_EMPTY_JSON_BODY: () => noJson('is empty'),
  FST_ERR_CTP_INVALID_JSON_BODY: () => noJson('is not JSON'),
  FST_ERR_MAX_PARAM_LENGTH: () => new Problem('uri-too-long', 'A part of the path is too long.'),
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new Problem('payload-too-large', 'The body is larger than 16 KiB.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new Problem('unsupported-media-type', 'This route does not read a body of this type.'),
}

const toProblem = (error: FastifyError | Error): Problem => {
  if (error instanceof Problem) return error
  if (hasZodFastifySchemaValidationErrors(error)) return invalidInput(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const known = FASTIFY_PROBLEMS[code]
  if (known !== undefined) return known()
  // Any other 4xx error of Fastify is a fault in the request.
  const status = 'statusCode' in error ? error.statusCode : undefined
  if (status !== undefined && status >= 400 && status < 500) {
    return new Problem('invalid-request', 'The request is malformed.', { cause: error })
  }
  return new Problem('internal', 'Something went wrong in the gateway.', { cause: error })
}

interface ValidationError {
  readonly validation: readonly { readonly instancePath: string; readonly message?: string }[]
  readonly validationContext?: string
}

const invalidInput = ({ validation, validationContext }: ValidationError): Problem => {
  const errors = validation.map(({ instancePath, message }) => ({
    path: instancePath,
    message: message ?? 'is not valid',
  }))
  return validationContext === 'params'
    ? new Problem('invalid-id', 'An id in the path does not look like a lemlist id.', {
        errors,
      })
    : new Problem('invalid-request', 'The request is malformed.', { errors })
}

/**
 * Answers a request that Fastify refuses before it has found a route, because the URL is malformed.
 * No hook runs for such a request, so this handler also writes the log line.
 */
export const frameworkErrorHandler = (logger: Logger, count?: CountRequest | undefined) => {
  const log = { logger, writeLine: lineWriter(logger, 'request'), count }
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    // Below /campaigns/, broken percent-encoding is a fault of an id like any other: the caller is
    // told `invalid-id`.
    const mirrored =
      error.code === 'FST_ERR_BAD_URL' && pathOf(request.raw.url ?? '').startsWith('/campaigns/')
    const problem = mirrored
      ? new Problem('invalid-id', 'An id in the path does not look like a lemlist id.', {
          errors: [{ path: '', message: BROKEN_ENCODING }],
        })
      : toProblem(error)
    logAtEnd(log, request, reply)
    sendProblem(request, reply, problem)
  }
}

/** The problems that say that a route cannot read the body. */
const OF_THE_BODY: ReadonlySet<ProblemCode> = new Set(['invalid-request', 'unsupported-media-type'])

/** Answers all errors of a request, unknown routes, and known routes asked with a wrong method. */
export const handleErrors = (app: FastifyInstance, methodsOf: MethodsOf): void => {
  const unknownRoute = (request: FastifyRequest): Problem => {
    const methods = methodsOf(pathOf(request.url))
    return methods.length === 0 || methods.includes(request.method)
      ? new Problem('not-found', 'There is no such route.')
      : new Problem('method-not-allowed', 'The route does not have this method.', {
          allow: methods.join(', '),
        })
  }
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, unknownRoute(request)))
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const problem = toProblem(error)
    // Fastify parses the body of a request before it says that the request has no route. The type
    // and the form of the body do not matter then: the caller is told that the route does not exist.
    const besideThePoint = request.is404 && error !== problem && OF_THE_BODY.has(problem.code)
    return sendProblem(request, reply, besideThePoint ? unknownRoute(request) : problem)
  })
}
