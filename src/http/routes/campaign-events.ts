import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { nextTurn } from '../../exports/slices.ts'
import { countedAs } from '../entry.ts'
import { admits, turnAwayFrom } from '../events/admission.ts'
import { lastEventId, requireEventStream } from '../events/asked.ts'
import { campaignFrames, longestStateId, toldBefore } from '../events/campaign-frames.ts'
import { createCampaignLines, MOST_LINES } from '../events/campaign-lines.ts'
import { counted } from '../events/counted.ts'
import {
  begin,
  type EventRouteOptions,
  logUnexpected,
  mayHaveSeenMore,
  openStream,
} from '../events/opening.ts'
import { CAMPAIGN_STREAM_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  CAMPAIGN_STREAM,
  COMMON_PROBLEMS,
  problemResponses,
  REQUEST_ID,
} from '../openapi/responses.ts'
import { campaignParams, eventHeaders, eventQuery, eventStreamText } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'

const schema = {
  operationId: 'watchCampaign',
  tags: ['exports'],
  summary: 'Watch the exports of a campaign',
  description: `Works like the stream of many exports, over the 100 newest exports of the list of the campaign and all that become known later, on whichever replica. It never ends by itself: the client closes it.

${CAMPAIGN_STREAM}`,
  params: campaignParams,
  querystring: eventQuery,
  headers: eventHeaders,
  security: SECURITY.credentialOrTicket,
  response: {
    200: {
      description: 'A stream of `status`, `problem` and `gone` events, with comments between them.',
      headers: REQUEST_ID,
      content: {
        'text/event-stream': { schema: eventStreamText, examples: CAMPAIGN_STREAM_EXAMPLES },
      },
    },
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'campaign-not-found',
      'not-acceptable',
    ),
  },
} as const

/** Serves the stream of a campaign: that of many exports, whose exports become more while it is open. */
export const campaignEventsRoute = (app: FastifyInstance, options: EventRouteOptions): void => {
  const { entry, streams, bodies, logger } = options
  const frames = counted(campaignFrames(bodies), options.meter)
  const failed = logUnexpected(logger)

  // As with many exports, each of those who come back together has a turn of the event loop.
  const config = { takesTicket: true, turnAway: turnAwayFrom(streams) }
  const onRoute = { schema, exposeHeadRoute: false, preValidation: nextTurn, config }
  const path = '/campaigns/:campaignId/events'
  app.withTypeProvider<ZodTypeProvider>().get(path, onRoute, async (request, reply) => {
    requireEventStream(request.headers.accept)
    const { account, caller, ref: campaign } = entry.enter(request, 'status', request.params)
    const id = lastEventId(request, request.query, longestStateId(MOST_LINES))
    const isDoubted = mayHaveSeenMore(account, id)
    if (!admits(request, reply, streams)) return reply
    const { watch, campaignWatch } = account
    // The stream is opened before the list is read, so that it notices when the client leaves meanwhile.
    const stream = openStream(
      request,
      reply,
      {
        ...{ refs: [], foreign: new Set(), account, frames, isDoubted },
        ...{ isEndless: true, wasTold: toldBefore(id) },
        onOver: () => {
          campaignWatch.leave(campaign, lines)
          lines.close()
        },
      },
      options,
    )
    const callerId = countedAs(caller)
    const lines = createCampaignLines({ stream, watch, callerId, isDoubted, failed })
    const known = await campaignWatch.join(campaign, lines)
    // All who came back together have waited for the same read. Each goes on in a turn of its own.
    await nextTurn()
    lines.begin(known)
    begin(reply, stream)
    return reply
  })
}
