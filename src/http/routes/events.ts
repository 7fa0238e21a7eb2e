import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Caller } from '../../access/caller.ts'
import { campaignMissing } from '../../exports/ends.ts'
import { type ExportRef, isFinal } from '../../exports/export.ts'
import { Problem } from '../../problems.ts'
import { type AccountParts, countedAs } from '../entry.ts'
import { admits, turnAwayFrom } from '../events/admission.ts'
import { lastEventId, requireEventStream } from '../events/asked.ts'
import { counted } from '../events/counted.ts'
import { goneId, isGoneId, singleFrames } from '../events/frames.ts'
import {
  begin,
  type EventRouteOptions,
  FIRST_READ_MS,
  logUnexpected,
  mayHaveSeenMore,
  noContent,
  openStream,
  within,
} from '../events/opening.ts'
import type { EventStream } from '../events/stream.ts'
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

/** Who asks, and for what. No account for what he may not see. */
interface Asked {
  readonly account: AccountParts | undefined
  readonly caller: Caller
  readonly ref: ExportRef
}

/**
 * Serves the stream of one export. Only a permanent refusal is told by an HTTP status. HEAD is not
 * served: Fastify would run the handler of GET for it, and the request would hang.
 */
export const eventsRoute = (app: FastifyInstance, options: EventRouteOptions) => {
  const { entry, streams, bodies, logger } = options
  const frames = counted(singleFrames(bodies), options.meter)
  const config = { takesTicket: true, turnAway: turnAwayFrom(streams) }
  const failed = logUnexpected(logger)

  /** Whether a client that was told `id` last was told everything. Makes no call to lemlist. */
  const hasSeenTheEnd = async ({ account, ref }: Asked, id: string): Promise<boolean> => {
    try {
      const known = await account?.reader.lookup(ref)
      if (known === undefined) return isGoneId(id)
      return isFinal(known.snapshot) && known.snapshot.version === id
    } catch (error) {
      return error instanceof Problem && id === goneId(error.code)
    }
  }

  /** Opens the stream. Nobody who asks for an export that is known here waits for a promise. */
  const open = (
    request: FastifyRequest,
    reply: FastifyReply,
    { account, caller, ref }: Asked,
    isDoubted: boolean,
  ): Promise<void> | undefined => {
    if (!admits(request, reply, streams)) return undefined
    if (account === undefined) throw campaignMissing()
    const content = { refs: [ref], foreign: NOTHING, account, frames, isDoubted }
    const stream = openStream(request, reply, content, options)
    const callerId = countedAs(caller)
    const first = isDoubted ? undefined : account.watch.first(ref, callerId)
    if (first !== undefined) return beginAfter(first, reply, stream)
    begin(reply, stream)
    if (isDoubted) account.watch.confirm([ref], stream, callerId).catch(failed)
    return undefined
  }

  const openAgain = async (
    request: FastifyRequest,
    reply: FastifyReply,
    asked: Asked,
    id: string,
  ): Promise<void> => {
    if (await hasSeenTheEnd(asked, id)) noContent(request, reply)
    else await open(request, reply, asked, mayHaveSeenMore(asked.account, id))
  }

  app
    .withTypeProvider<ZodTypeProvider>()
    .get(
      '/campaigns/:campaignId/export/:exportId/events',
      { schema, exposeHeadRoute: false, config },
      (request, reply) => {
        requireEventStream(request.headers.accept)
        const asked = entry.find(request, 'status', request.params)
        const id = lastEventId(request, request.query)
        if (id === undefined) return open(request, reply, asked, false)
        return openAgain(request, reply, asked, id)
      },
    )
}

/** Begins the stream after the first read, or throws the refusal that this read has brought. */
const beginAfter = async (
  first: Promise<void>,
  reply: FastifyReply,
  stream: EventStream,
): Promise<void> => {
  const refusal = await within(FIRST_READ_MS, first)
  if (refusal instanceof Problem && stream.abandon()) throw refusal
  begin(reply, stream)
}
