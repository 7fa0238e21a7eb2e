import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Entry } from '../entry.ts'
import { ignoreBodies } from '../ignored-body.ts'
import { START_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  problemResponses,
  START_HEADERS,
} from '../openapi/responses.ts'
import { campaignParams, startedExport, startHeaders } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'
import { refuseForeignPages } from '../origins/foreign-page.ts'

interface StartRouteOptions {
  readonly entry: Pick<Entry, 'enter'>
  /** Where callers reach the gateway: `PUBLIC_URL`. Pages of its host may start exports. */
  readonly publicUrl: URL | undefined
  /** The origins of pages that may call: `CORS_ORIGINS`. They may start exports, too. */
  readonly corsOrigins: readonly string[]
}

const schema = {
  operationId: 'startExport',
  tags: ['exports'],
  summary: 'Start an export',
  description:
    'Starts one export of the statistics of a campaign. From then on the gateway follows the export until it is final. The gateway makes one call to lemlist and never repeats it. A request that is repeated with the same `Idempotency-Key` within 24 h gets the first answer, and does not start a second export. GET and HEAD answer 405, because a start has a side effect. The gateway ignores a body of up to 16 KiB, whatever its type is. It refuses pages of a foreign origin that is not in `CORS_ORIGINS`.',
  params: campaignParams,
  headers: startHeaders,
  security: SECURITY.credential,
  response: {
    201: {
      description: "lemlist has started the export. The body is lemlist's object, byte for byte.",
      headers: START_HEADERS,
      content: { 'application/json': { schema: startedExport, examples: START_EXAMPLES } },
    },
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'rate-limited',
      'overloaded',
      'campaign-not-found',
      'idempotency-in-progress',
      'start-outcome-unknown',
      'payload-too-large',
      'upstream-invalid',
      'upstream-credentials',
      'upstream-unavailable',
      'budget-exhausted',
      'store-unavailable',
      'upstream-timeout',
    ),
  },
} as const

/**
 * The key itself. Some clients send it as a string of RFC 8941, which is in double quotes, and a
 * caller may repeat its request by another client.
 */
const unquoted = (key: string | undefined): string | undefined => {
  const [, inner] = /^"(.+)"$/.exec(key ?? '') ?? []
  return inner === undefined ? key : inner.replaceAll(/\\(["\\])/g, '$1')
}

/**
 * Serves the start, by POST only. Programs follow links and repeat failed GETs by themselves. If the
 * start were a GET, they would start exports by accident.
 */
export const startRoute = async (
  app: FastifyInstance,
  { entry, publicUrl, corsOrigins }: StartRouteOptions,
): Promise<void> => {
  const onRequest = refuseForeignPages({ publicUrl, corsOrigins })
  // The scope keeps what it does to bodies away from all other routes.
  await app.register((scope, _options, done) => {
    ignoreBodies(scope)
    scope
      .withTypeProvider<ZodTypeProvider>()
      .post(
        '/campaigns/:campaignId/export/start',
        { schema, onRequest },
        async (request, reply) => {
          const { campaignId } = request.params
          const key = unquoted(request.headers['idempotency-key'])
          request.notes.deed = { action: 'start', campaign: campaignId }
          const { account, caller, ref } = entry.enter(request, 'start', { campaignId })
          const once = key === undefined ? undefined : { caller: caller.id, key }
          const { exportId, body } = await account.starter.start(ref, once)
          request.notes.deed = { action: 'start', campaign: campaignId, export: exportId }
          return (
            reply
              .code(201)
              // Both links are relative to this route, so that they also hold below a path prefix.
              .header('location', `${exportId}/status`)
              .header('link', `<${exportId}/events>; rel="monitor"; type="text/event-stream"`)
              .header('cache-control', 'no-store')
              .header('x-request-id', request.id)
              .header('x-content-type-options', 'nosniff')
              .type('application/json')
              // The type of the route is the documented JSON. The body is that JSON as lemlist's
              // bytes.
              .send(body as never)
          )
        },
      )
    done()
  })
}
