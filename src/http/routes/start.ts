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
    'Starts one export of the statistics of a campaign, and follows it from then on. One call to lemlist, which is never repeated: with an `Idempotency-Key` a repeated request has the first answer for 24 h instead of starting a second export. GET and HEAD answer 405: starting has an effect.',
  params: campaignParams,
  headers: startHeaders,
  response: {
    201: {
      description: "Started: lemlist's object, byte for byte.",
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

/** Who asks, until callers have names. */
const ANONYMOUS = 'anonymous'

/** Never a GET: whoever follows links or repeats what failed would start exports with it. */
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
          // Typed by the documented JSON; what is sent is that JSON as lemlist wrote it.
          .send(body as never)
      )
    })
}
