import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { COMMON_PROBLEMS, problemResponses, REQUEST_ID } from '../openapi/responses.ts'

interface HealthRoutesOptions {
  /** Whether the store answers; never rejects. */
  readonly storeHealthy: () => Promise<boolean>
  /** Whether the gateway is on its way out. */
  readonly stopping: () => boolean
}

const live = z
  .object({ status: z.literal('ok') })
  .meta({ id: 'Liveness', description: 'The process runs.' })

const ready = z
  .object({
    status: z.enum(['ready', 'degraded', 'stopping']),
    dependencies: z.object({ store: z.enum(['ok', 'down']) }),
  })
  .meta({
    id: 'Readiness',
    description: 'Whether it can serve. Without its store it can: it asks lemlist more often.',
  })

const entry = (description: string, schema: z.ZodType, value: unknown) => ({
  description,
  headers: REQUEST_ID,
  content: { 'application/json': { schema, examples: { usual: { value } } } },
})

const READY = { status: 'ready', dependencies: { store: 'ok' } }
const STOPPING = { status: 'stopping', dependencies: { store: 'ok' } }

/** Liveness asks nobody else, so that only a dead process is restarted; readiness names what it needs. */
export const healthRoutes = (app: FastifyInstance, options: HealthRoutesOptions) => {
  const { storeHealthy, stopping } = options
  const routes = app.withTypeProvider<ZodTypeProvider>()
  routes.get(
    '/health/live',
    {
      schema: {
        operationId: 'getLiveness',
        tags: ['health'],
        summary: 'Does the process run?',
        response: {
          200: entry('It runs.', live, { status: 'ok' }),
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
      schema: {
        operationId: 'getReadiness',
        tags: ['health'],
        summary: 'Can it serve?',
        response: {
          200: entry('It can serve, `degraded` without its store.', ready, READY),
          503: entry('It is stopping: send nothing new.', ready, STOPPING),
          ...problemResponses(...COMMON_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      const healthy = await storeHealthy()
      const status = stopping() ? 'stopping' : healthy ? 'ready' : 'degraded'
      return reply
        .code(status === 'stopping' ? 503 : 200)
        .header('cache-control', 'no-store')
        .header('x-request-id', request.id)
        .type('application/json')
        .send({ status, dependencies: { store: healthy ? 'ok' : 'down' } } as const)
    },
  )
}
