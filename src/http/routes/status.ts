import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { DEFAULT_ACCOUNT } from '../../exports/export.ts'
import type { PollIntervals } from '../../exports/poll-policy.ts'
import type { Reader } from '../../exports/reader.ts'
import { COMMON_PROBLEMS, nothing, problemResponses, STATUS_HEADERS } from '../documentation.ts'
import { STATUS_EXAMPLES } from '../examples.ts'
import { exportParams, exportStatus } from '../schemas.ts'
import { sendStatus } from '../status-answer.ts'

interface StatusRouteOptions {
  readonly reader: Reader
  readonly intervals: PollIntervals
}

const schema = {
  operationId: 'getExportStatus',
  tags: ['exports'],
  summary: 'Status of an export',
  description:
    'The mirror of lemlist: its JSON byte for byte, from the cache when it is final, else from lemlist. Concurrent reads of one export share one call.',
  params: exportParams,
  response: {
    200: {
      description: 'What lemlist says, or said last.',
      headers: STATUS_HEADERS,
      content: { 'application/json': { schema: exportStatus, examples: STATUS_EXAMPLES } },
    },
    304: nothing('Nothing has changed since the `ETag` in `If-None-Match`.', STATUS_HEADERS),
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      'export-not-found',
      'campaign-not-found',
      'export-timed-out',
      'export-expired',
      'upstream-invalid',
      'upstream-credentials',
      'upstream-unavailable',
      'budget-exhausted',
      'upstream-timeout',
    ),
  },
} as const

/** The mirror. Its hit path is one look-up and a reply with prepared bytes. */
export const statusRoute = (app: FastifyInstance, { reader, intervals }: StatusRouteOptions) => {
  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/campaigns/:campaignId/export/:exportId/status', { schema }, async (request, reply) => {
      const { params } = request
      const ref = { account: DEFAULT_ACCOUNT, ...params }
      const reading = reader.peek(ref) ?? (await reader.read(ref))
      sendStatus(request, reply, params, reading, intervals)
      return reply
    })
}
