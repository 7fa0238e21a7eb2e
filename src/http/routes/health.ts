import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { COMMON_PROBLEMS, problemResponses, REQUEST_ID } from '../openapi/responses.ts'

interface HealthRoutesOptions {
  /** Whether the store answers. The promise never rejects. */
  readonly storeHealthy: () => Promise<boolean>
  /** Whether a store that is not healthy waits for the operator to change a setting or a right. */
  readonly storeMisconfigured?: () => boolean
  /** Whether the gateway is stopping. */
  readonly stopping: () => boolean
}

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

/**
 * Serves liveness and readiness. Liveness does not check any dependency, so that an orchestrator
 * restarts only a dead process. Readiness names the state of each dependency.
 */
export const healthRoutes = (app: FastifyInstance, options: HealthRoutesOptions) => {
  const { storeHealthy, storeMisconfigured = () => false, stopping } = options
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
        .send({ status: 'ok' } as const),
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
      const healthy = await storeHealthy()
      const store = healthy ? 'ok' : storeMisconfigured() ? 'misconfigured' : 'down'
      const status = stopping() ? 'stopping' : healthy ? 'ready' : 'degraded'
      return reply
        .code(status === 'stopping' ? 503 : 200)
        .header('cache-control', 'no-store')
        .header('x-request-id', request.id)
        .type('application/json')
        .send({ status, dependencies: { store } } as const)
    },
  )
}
