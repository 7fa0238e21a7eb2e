import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { DEFAULT_ACCOUNT, type ExportRef } from '../../exports/export.ts'
import type { Reader } from '../../exports/reading/reader.ts'
import type { Watch } from '../../exports/watching/watch.ts'
import type { Streams } from '../events/streams.ts'
import { STATUS_EXAMPLES } from '../openapi/examples.ts'
import { COMMON_PROBLEMS, nothing, problemResponses, STATUS_HEADERS } from '../openapi/responses.ts'
import { exportParams, exportStatus, statusHeaders } from '../openapi/schemas.ts'
import { type AnswerOptions, sendStatus } from '../status/answer.ts'
import { waitPreference } from '../status/preference.ts'

interface StatusRouteOptions extends AnswerOptions {
  readonly reader: Reader
  readonly watch: Watch
  readonly streams: Pick<Streams, 'draining' | 'max'>
}

const schema = {
  operationId: 'getExportStatus',
  tags: ['exports'],
  summary: 'Status of an export',
  description:
    'The mirror of lemlist: its JSON byte for byte, from the cache when it is final, else from lemlist. Concurrent reads of one export share one call.',
  params: exportParams,
  headers: statusHeaders,
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
export const statusRoute = (app: FastifyInstance, options: StatusRouteOptions) => {
  const { reader, watch, streams } = options
  let waiting = 0

  /** Holds the answer for `seconds` or until it is final, the caller leaves or the gateway stops. */
  const held = async (request: FastifyRequest, ref: ExportRef, seconds: number) => {
    waiting += 1
    try {
      return await watch.wait(ref, seconds * 1_000, [request.signal, streams.draining])
    } finally {
      waiting -= 1
    }
  }

  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/campaigns/:campaignId/export/:exportId/status', { schema }, async (request, reply) => {
      const { params } = request
      const ref = { account: DEFAULT_ACCOUNT, ...params }
      const wait = waitPreference(request.headers.prefer)
      // As many may wait as may stream; whoever comes later is answered at once.
      const holds = wait !== undefined && waiting < streams.max
      if (holds) reply.header('preference-applied', `wait=${wait}`)
      const reading =
        reader.peek(ref) ?? (await (holds ? held(request, ref, wait) : reader.read(ref)))
      sendStatus(request, reply, params, reading, options)
      return reply
    })
}
