import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { Problem, toDocument } from '../problems.ts'
import type { Logger } from '../telemetry/log.ts'
import { logAtEnd } from './request-log.ts'

/** The only place that turns an error into a reply. */

export const PROBLEM_TYPE = 'application/problem+json'

export const sendProblem = (request: FastifyRequest, reply: FastifyReply, problem: Problem) => {
  request.problem = problem
  const { retryAfterMs, allow } = problem.options
  if (retryAfterMs !== undefined) {
    reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
  }
  if (allow !== undefined) reply.header('allow', allow)
  // Bytes, since Fastify would add a charset to the type of a string, which RFC 9457 does not know.
  return reply
    .code(problem.status)
    .header('cache-control', 'no-store')
    .header('x-request-id', request.id)
    .type(PROBLEM_TYPE)
    .send(Buffer.from(JSON.stringify(toDocument(problem, request.id))))
}

/** Fastify's own refusals, by their code. */
const FASTIFY_PROBLEMS: Readonly<Record<string, () => Problem>> = {
  FST_ERR_BAD_URL: () => new Problem('invalid-request', 'The URL is not well-formed.'),
  FST_ERR_MAX_PARAM_LENGTH: () => new Problem('uri-too-long', 'A part of the path is too long.'),
  FST_ERR_CTP_BODY_TOO_LARGE: () => new Problem('payload-too-large', 'The body is over 16 KiB.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new Problem('unsupported-media-type', 'The body has a type that this route does not read.'),
}

const toProblem = (error: FastifyError | Error): Problem => {
  if (error instanceof Problem) return error
  if (hasZodFastifySchemaValidationErrors(error)) return invalidInput(error)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const known = FASTIFY_PROBLEMS[code]
  if (known !== undefined) return known()
  // What else is wrong with a request, in Fastify's eyes: an empty or broken JSON body and the like.
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
    ? new Problem('invalid-id', 'An id in the path is not of the form lemlist gives.', { errors })
    : new Problem('invalid-request', 'The request is malformed.', { errors })
}

/** What Fastify refuses before it has a route, a malformed URL: no hook runs, so it is logged here. */
export const frameworkErrorHandler =
  (logger: Logger) =>
  (error: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    // One path segment that cannot be an id, even for want of correct percent-encoding.
    const mirrored =
      error.code === 'FST_ERR_BAD_URL' && pathOf(request.raw.url ?? '').startsWith('/campaigns/')
    const problem = mirrored
      ? new Problem('invalid-id', 'An id in the path is not of the form lemlist gives.')
      : toProblem(error)
    logAtEnd(logger, request, reply)
    sendProblem(request, reply, problem)
  }

/** Every error of a request, unknown routes, and known ones asked with a wrong method. */
export const handleErrors = (app: FastifyInstance): void => {
  const routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    for (const one of [method].flat()) route.methods.add(one)
    routes.set(url, route)
  })
  const unknownRoute = (request: FastifyRequest): Problem => {
    const path = pathOf(request.url)
    const methods = new Set(
      [...routes.values()].flatMap((route) => (route.pattern.test(path) ? [...route.methods] : [])),
    )
    // Fastify tells of one half of a route that has a twin with a slash: HEAD comes with its GET.
    if (methods.has('HEAD')) methods.add('GET')
    return methods.size === 0 || methods.has(request.method)
      ? new Problem('not-found', 'There is no such route.')
      : new Problem('method-not-allowed', 'The route does not know this method.', {
          allow: [...methods].sort().join(', '),
        })
  }
  app.setNotFoundHandler((request, reply) => sendProblem(request, reply, unknownRoute(request)))
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const problem = toProblem(error)
    // Fastify reads the body before it says that nobody wants it: its form is beside the point then.
    const besideThePoint = request.is404 && problem.code === 'invalid-request' && error !== problem
    return sendProblem(request, reply, besideThePoint ? unknownRoute(request) : problem)
  })
}

/** The path of a request target, which may name the host as well (RFC 9112, 3.2.2). */
const pathOf = (target: string): string =>
  target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? ''

const patternOf = (url: string): RegExp =>
  new RegExp(
    `^${url
      .replace(/[.+?^$()[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replace(/:[A-Za-z]+/g, '[^/]*')}$`,
  )
