import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { type ExportRef, isFinal } from '../../exports/export.ts'
import type { Reading } from '../../exports/reading/reader.ts'
import { nextTurn } from '../../exports/slices.ts'
import { Problem } from '../../problems.ts'
import { countedAs } from '../entry.ts'
import { admits, turnAwayFrom } from '../events/admission.ts'
import { lastEventId, requireEventStream } from '../events/asked.ts'
import { counted } from '../events/counted.ts'
import { GONE, manyFrames, manyPart, manyStateId } from '../events/frames.ts'
import {
  begin,
  type Content,
  type EventRouteOptions,
  logUnexpected,
  mayHaveSeenMore,
  noContent,
  openStream,
  tellForeign,
} from '../events/opening.ts'
import { MANY_STREAM_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  MANY_EXPORTS_STREAM,
  nothing,
  problemResponses,
  REQUEST_ID,
} from '../openapi/responses.ts'
import { eventHeaders, eventStreamText, manyExportsQuery } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'

const schema = {
  operationId: 'watchExports',
  tags: ['exports'],
  summary: 'Watch many exports on one connection',
  description: `Works like the stream of one export, for 1 to 100 exports. Browsers open at most six HTTP/1.1 connections to one host, and here one connection is enough for many exports. An unknown export is told by \`gone\`. \`end\` comes when all exports are over.

${MANY_EXPORTS_STREAM}`,
  querystring: manyExportsQuery,
  headers: eventHeaders,
  security: SECURITY.credentialOrTicket,
  response: {
    200: {
      description:
        'A stream of `status`, `problem`, `gone` and `end` events, with comments between them.',
      headers: REQUEST_ID,
      content: { 'text/event-stream': { schema: eventStreamText, examples: MANY_STREAM_EXAMPLES } },
    },
    204: nothing(
      'The client reconnected, and its `Last-Event-ID` says that it was told the end of all exports. Nothing more will come.',
      REQUEST_ID,
    ),
    ...problemResponses(...COMMON_PROBLEMS, ...ACCESS_PROBLEMS, 'not-acceptable'),
  },
} as const

type Asked = Pick<Content, 'refs' | 'account'>

/**
 * Serves the stream of many exports. Trouble of one export is never told by an HTTP status, but by
 * an event that names the export.
 */
export const manyEventsRoute = (app: FastifyInstance, options: EventRouteOptions) => {
  const { entry, streams, bodies, logger } = options
  const frames = counted(manyFrames(bodies), options.meter)
  const failed = logUnexpected(logger)

  const hasSeenTheEnd = async (
    { refs, mine, account }: Asked & { readonly mine: readonly ExportRef[] },
    id: string | undefined,
  ) => {
    if (id?.startsWith('over.') !== true) return false
    const known = (await account?.reader.lookupMany(mine)) ?? []
    const byRef = new Map(mine.map((ref, index) => [ref, known[index]]))
    const parts: string[] = []
    for (const ref of refs) {
      const end = endOf(byRef.get(ref))
      if (end === undefined) return false
      parts.push(manyPart(ref, end))
    }
    return manyStateId(parts, true) === id
  }

  // A hundred exports are a millisecond of work, their validation included. When a proxy restarts, all
  // browsers come back at once, so each of them gets a turn of the event loop of its own.
  const config = { takesTicket: true, turnAway: turnAwayFrom(streams) }
  const onRoute = { schema, exposeHeadRoute: false, preValidation: nextTurn, config }
  app.withTypeProvider<ZodTypeProvider>().get('/events', onRoute, async (request, reply) => {
    requireEventStream(request.headers.accept)
    const asked = entry.enterMany(request, 'status', idsOf(request.query.export))
    const { account } = asked
    const mine = asked.refs.filter((ref) => !asked.foreign.has(ref))
    const id = lastEventId(request, request.query)
    if (await hasSeenTheEnd({ ...asked, mine }, id)) return noContent(request, reply)
    const isDoubted = mayHaveSeenMore(account, id)
    if (!admits(request, reply, streams)) return reply
    const stream = openStream(request, reply, { ...asked, frames, isDoubted }, options)
    begin(reply, stream)
    tellForeign(asked, stream)
    const callerId = countedAs(asked.caller)
    const told = isDoubted
      ? account?.watch.confirm(mine, stream, callerId)
      : account?.watch.firstOfMany(mine, callerId)
    // The problem of one export is dispatched to its topic, and the stream tells it by an event.
    // So nothing but an unexpected error arrives here.
    told?.catch(failed)
    return reply
  })
}

/**
 * The part of the state that says that an export is over; undefined while it is not over. The
 * gateway keeps no record of an export that lemlist does not know, so it believes a client whose id
 * says that the export is gone.
 */
const endOf = (known: Reading | Problem | undefined): string | undefined => {
  if (known === undefined || known instanceof Problem) return GONE
  return isFinal(known.snapshot) ? known.snapshot.version : undefined
}

/** Each export once, in the order in which the caller asked for them. */
const idsOf = (names: readonly string[]) =>
  [...new Set(names)].map((name) => {
    const [campaignId = '', exportId = ''] = name.split('/')
    return { campaignId, exportId }
  })
