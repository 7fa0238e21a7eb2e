import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { campaignMissing } from '../../exports/ends.ts'
import { type ExportRef, isFinal } from '../../exports/export.ts'
import type { Reader } from '../../exports/reading/reader.ts'
import { Problem } from '../../problems.ts'
import { countedAs } from '../entry.ts'
import { admits, turnAwayFrom } from '../events/admission.ts'
import { counted } from '../events/counted.ts'
import { goneId, isGoneId, singleFrames } from '../events/frames.ts'
import {
  begin,
  type EventRouteOptions,
  FIRST_READ_MS,
  lastEventId,
  mayHaveSeenMore,
  noContent,
  openStream,
  requireEventStream,
  within,
} from '../events/opening.ts'
import { SINGLE_STREAM_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  nothing,
  ONE_EXPORT_STREAM,
  problemResponses,
  REQUEST_ID,
} from '../openapi/responses.ts'
import { eventHeaders, eventQuery, eventStreamText, exportParams } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'

const schema = {
  operationId: 'watchExport',
  tags: ['exports'],
  summary: 'Watch an export',
  description: `Sends server-sent events: the status now, then every change, then \`end\`. Swagger UI shows an answer only when it is complete, so for a pending export it shows nothing until the export ends. The [live page](../), \`curl -N\` and EventSource show each event as it comes.

${ONE_EXPORT_STREAM}`,
  params: exportParams,
  querystring: eventQuery,
  headers: eventHeaders,
  security: SECURITY.credentialOrTicket,
  response: {
    200: {
      description:
        'A stream of `status`, `problem`, `gone` and `end` events, with comments between them.',
      headers: REQUEST_ID,
      content: {
        'text/event-stream': { schema: eventStreamText, examples: SINGLE_STREAM_EXAMPLES },
      },
    },
    204: nothing(
      'The client reconnected, and its `Last-Event-ID` says that it was told the end. Nothing more will come.',
      REQUEST_ID,
    ),
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'export-not-found',
      'campaign-not-found',
      'export-timed-out',
      'not-acceptable',
      'export-expired',
    ),
  },
} as const

const NOTHING: ReadonlySet<ExportRef> = new Set()

/**
 * Serves the stream of one export. Only a permanent refusal is told by an HTTP status. HEAD is not
 * served: Fastify would run the handler of GET for it, and the request would hang.
 */
export const eventsRoute = (app: FastifyInstance, options: EventRouteOptions) => {
  const { entry, streams, bodies, logger } = options
  const frames = counted(singleFrames(bodies), options.meter)
  const config = { takesTicket: true, turnAway: turnAwayFrom(streams) }

  /** Whether a client that was told `id` last was told everything. Makes no call to lemlist. */
  const hasSeenTheEnd = async (
    reader: Reader | undefined,
    ref: ExportRef,
    id: string | undefined,
  ): Promise<boolean> => {
    if (id === undefined) return false
    try {
      const known = await reader?.lookup(ref)
      if (known === undefined) return isGoneId(id)
      return isFinal(known.snapshot) && known.snapshot.version === id
    } catch (error) {
      return error instanceof Problem && id === goneId(error.code)
    }
  }

  app
    .withTypeProvider<ZodTypeProvider>()
    .get(
      '/campaigns/:campaignId/export/:exportId/events',
      { schema, exposeHeadRoute: false, config },
      async (request, reply) => {
        requireEventStream(request.headers.accept)
        const { account, caller, ref } = entry.find(request, 'status', request.params)
        const id = lastEventId(request, request.query)
        if (await hasSeenTheEnd(account?.reader, ref, id)) return noContent(request, reply)
        const content = { refs: [ref], foreign: NOTHING, account }
        const isDoubted = mayHaveSeenMore(account, id)
        if (!admits(request, reply, streams)) return reply
        if (account === undefined) throw campaignMissing()
        const stream = openStream(request, reply, { ...content, frames, isDoubted }, options)
        if (isDoubted) {
          begin(reply, stream)
          account.watch
            .confirm([ref], stream, countedAs(caller))
            .catch((error) =>
              logger.error({ err: error }, 'an operation failed because of an unexpected error'),
            )
          return reply
        }
        const refusal = await within(FIRST_READ_MS, account.watch.first(ref, countedAs(caller)))
        if (refusal instanceof Problem && stream.abandon()) throw refusal
        begin(reply, stream)
        return reply
      },
    )
}
