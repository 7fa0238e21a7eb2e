import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { DEFAULT_ACCOUNT } from '../../exports/export.ts'
import type { Starter } from '../../exports/starting/starter.ts'
import { START_EXAMPLES } from '../openapi/examples.ts'
import { COMMON_PROBLEMS, problemResponses, START_HEADERS } from '../openapi/responses.ts'
import { campaignParams, startedExport, startHeaders } from '../openapi/schemas.ts'

interface StartRouteOptions {
  readonly starter: Starter
}

const schema = {
  operationId: 'startExport',
  tags: ['exports'],
  summary: 'Start an export',
  description:
    'Starts one export of the statistics of a campaign. From then on the gateway follows the export until it is final. The gateway makes one call to lemlist and never repeats it. A request that is repeated with the same `Idempotency-Key` within 24 h gets the first answer, and does not start a second export. GET and HEAD answer 405, because a start has a side effect.',
  params: campaignParams,
  headers: startHeaders,
  response: {
    201: {
      description: "lemlist has started the export. The body is lemlist's object, byte for byte.",
      headers: START_HEADERS,
      content: { 'application/json': { schema: startedExport, examples: START_EXAMPLES } },
    },
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      'campaign-not-found',
      'idempotency-in-progress',
      'start-outcome-unknown',
      'payload-too-large',
      'unsupported-media-type',
      'upstream-invalid',
      'upstream-credentials',
      'upstream-unavailable',
      'budget-exhausted',
      'store-unavailable',
      'upstream-timeout',
    ),
  },
} as const

/** The name of every caller, because the gateway does not tell callers apart. */
const ANONYMOUS = 'anonymous'

/**
 * Serves the start, by POST only. Programs follow links and repeat failed GETs by themselves. If the
 * start were a GET, they would start exports by accident.
 */
export const startRoute = (app: FastifyInstance, { starter }: StartRouteOptions) => {
  app
    .withTypeProvider<ZodTypeProvider>()
    .post('/campaigns/:campaignId/export/start', { schema }, async (request, reply) => {
      const { campaignId } = request.params
      const key = request.headers['idempotency-key']
      const once = key === undefined ? undefined : { caller: ANONYMOUS, key }
      const { exportId, body } = await starter.start({ account: DEFAULT_ACCOUNT, campaignId }, once)
      const base = `/campaigns/${campaignId}/export/${exportId}`
      return (
        reply
          .code(201)
          .header('location', `${base}/status`)
          .header('link', `<${base}/events>; rel="monitor"; type="text/event-stream"`)
          .header('cache-control', 'no-store')
          .header('x-request-id', request.id)
          .header('x-content-type-options', 'nosniff')
          .type('application/json')
          // The type of the route is the documented JSON. The body is that JSON as lemlist's bytes.
          .send(body as never)
      )
    })
}
