import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { DEFAULT_ACCOUNT, type ExportRef, isFinal } from '../../exports/export.ts'
import { Problem } from '../../problems.ts'
import { GONE, manyFrames, manyStateId } from '../events/frames.ts'
import {
  admits,
  begin,
  type EventRouteOptions,
  lastEventId,
  noContent,
  openStream,
  requireEventStream,
} from '../events/opening.ts'
import { MANY_STREAM_EXAMPLES } from '../openapi/examples.ts'
import {
  COMMON_PROBLEMS,
  EVENT_STREAM,
  nothing,
  problemResponses,
  REQUEST_ID,
} from '../openapi/responses.ts'
import { eventHeaders, eventStreamText, manyExportsQuery } from '../openapi/schemas.ts'

const schema = {
  operationId: 'watchExports',
  tags: ['exports'],
  summary: 'Changes of many exports, pushed on one connection',
  description: `As the stream of one export, for 1 to 100 of them: browsers open six connections to a host. The data of a \`status\` is \`{"campaignId", "exportId", "body"}\`, where \`body\` is lemlist's JSON; \`id:\` names the state of all. An unknown export is told by \`gone\`. \`end\` comes when all are over.

${EVENT_STREAM}`,
  querystring: manyExportsQuery,
  headers: eventHeaders,
  response: {
    200: {
      description:
        'A stream of `status`, `problem`, `gone` and `end` events, with comments between.',
      headers: REQUEST_ID,
      content: { 'text/event-stream': { schema: eventStreamText, examples: MANY_STREAM_EXAMPLES } },
    },
    204: nothing(
      'A reconnect whose `Last-Event-ID` is the end of all: there is nothing more.',
      REQUEST_ID,
    ),
    ...problemResponses(...COMMON_PROBLEMS, 'not-acceptable'),
  },
} as const

/** Many exports on one stream. No export's trouble is a status here: each is told by an event. */
export const manyEventsRoute = (app: FastifyInstance, options: EventRouteOptions) => {
  const { reader, streams, watch, bodies } = options
  const frames = manyFrames(bodies)

  /** What a stream would have told last of an export that is over; undefined while it is not. */
  const endOf = async (ref: ExportRef): Promise<string | undefined> => {
    try {
      const known = await reader.lookup(ref)
      // Unknown to lemlist is remembered nowhere: a client that was told so is believed.
      if (known === undefined) return GONE
      return isFinal(known.snapshot) ? known.snapshot.version : undefined
    } catch (error) {
      return error instanceof Problem ? GONE : undefined
    }
  }

  const hasSeenTheEnd = async (refs: readonly ExportRef[], id: string | undefined) => {
    if (id?.startsWith('over.') !== true) return false
    const parts: [ExportRef, string][] = []
    for (const ref of refs) {
      const end = await endOf(ref)
      if (end === undefined) return false
      parts.push([ref, end])
    }
    return manyStateId(true, parts) === id
  }

  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/events', { schema, exposeHeadRoute: false }, async (request, reply) => {
      requireEventStream(request.headers.accept)
      const refs = refsOf(request.query.export)
      if (await hasSeenTheEnd(refs, lastEventId(request))) return noContent(request, reply)
      if (!admits(request, reply, streams)) return reply
      const stream = openStream(request, reply, refs, frames, options)
      begin(reply, stream)
      // What is wrong with one of them is told to its topic, and so by an event.
      for (const ref of refs) watch.first(ref).catch(() => {})
      return reply
    })
}

/** Each once, in the order in which they were asked for. */
const refsOf = (names: readonly string[]): ExportRef[] =>
  [...new Set(names)].map((name) => {
    const [campaignId = '', exportId = ''] = name.split('/')
    return { account: DEFAULT_ACCOUNT, campaignId, exportId }
  })
