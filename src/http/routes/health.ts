import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Health } from '../../telemetry/health.ts'
import { COMMON_PROBLEMS, problemResponses, REQUEST_ID } from '../openapi/responses.ts'

const live = z
  .object({ status: z.literal('ok') })
  .meta({ id: 'Liveness', description: 'The process runs.' })

const ready = z
  .object({
    status: z.enum(['ready', 'degraded', 'stopping']),
    dependencies: z.object({ store: z.enum(['ok', 'down', 'misconfigured']) }),
  })
  .meta({
    id: 'Readiness',
    description:
      'Whether the gateway can serve. It can serve without its store too, and asks lemlist more often then. A store that is `misconfigured` stays away until somebody changes a setting or a right; the log says which.',
  })

const entry = (description: string, schema: z.ZodType, value: unknown) => ({
  description,
  headers: REQUEST_ID,
  content: { 'application/json': { schema, examples: { usual: { value } } } },
})

const READY = { status: 'ready', dependencies: { store: 'ok' } }
const STOPPING = { status: 'stopping', dependencies: { store: 'ok' } }

const OPEN = { open: true }

/** Serves liveness and readiness. */
export const healthRoutes = (app: FastifyInstance, health: Health) => {
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/health/live',
    {
      config: OPEN,
      schema: {
        operationId: 'getLiveness',
        tags: ['health'],
        summary: 'Does the process run?',
        response: {
          200: entry('The process runs.', live, { status: 'ok' }),
          ...problemResponses(...COMMON_PROBLEMS),
        },
      },
    },
    (request, reply) =>
      reply
        .header('cache-control', 'no-store')
        .header('x-request-id', request.id)
        .type('application/json')
        .send(health.live().body),
  )
  routes.get(
    '/health/ready',
    {
      config: OPEN,
      schema: {
        operationId: 'getReadiness',
        tags: ['health'],
        summary: 'Can the gateway serve?',
        response: {
          200: entry(
            'The gateway can serve. `degraded` = it serves without its store.',
            ready,
            READY,
          ),
          503: entry('The gateway is stopping. Send it no new requests.', ready, STOPPING),
          ...problemResponses(...COMMON_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const { code, body } = await health.ready()
      return reply
        .code(code)
        .header('cache-control', 'no-store')
        .header('x-request-id', request.id)
        .type('application/json')
        .send(body)
    },
  )
}
