import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Listed } from '../../exports/reading/campaign-list.ts'
import type { Entry } from '../entry.ts'
import { notModified } from '../not-modified.ts'
import { campaignExports, campaignListQuery, listHeaders } from '../openapi/campaign-schemas.ts'
import { LIST_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  LIST_HEADERS,
  nothing,
  problemResponses,
} from '../openapi/responses.ts'
import { campaignParams } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'
import type { Bodies } from '../status/bodies.ts'
import { matchesETag } from '../status/conditional.ts'

interface CampaignExportsRouteOptions {
  readonly entry: Pick<Entry, 'enter'>
  readonly bodies: Bodies
}

const schema = {
  operationId: 'listExports',
  tags: ['exports'],
  summary: 'List the exports of a campaign',
  description:
    'Lists what the gateway knows of the exports of a campaign, those first seen last first, without asking lemlist, which has no such list. An export is in the list from its start, or from when it was seen, until its file is deleted. A campaign that nobody has asked about has an empty list.',
  params: campaignParams,
  querystring: campaignListQuery,
  headers: listHeaders,
  security: SECURITY.credential,
  response: {
    200: {
      description: 'The newest exports of the campaign.',
      headers: LIST_HEADERS,
      content: { 'application/json': { schema: campaignExports, examples: LIST_EXAMPLES } },
    },
    304: nothing('The list has not changed since the `ETag` in `If-None-Match`.', LIST_HEADERS),
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'campaign-not-found',
      'rate-limited',
    ),
  },
} as const

/** Relative to the URL of the list, so that it also holds below a path prefix. */
const LINK = '<events>; rel="monitor"; type="text/event-stream"'

/** Serves the list from the store and from memory alone. */
export const campaignExportsRoute = (
  app: FastifyInstance,
  { entry, bodies }: CampaignExportsRouteOptions,
): void => {
  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/campaigns/:campaignId/exports', { schema }, async (request, reply) => {
      const { account, ref } = entry.enter(request, 'status', request.params)
      const listed = await account.campaigns.newest(ref, request.query.limit)
      const items = listed.map((one) => textOf(one, bodies))
      const text = `{"campaignId":"${ref.campaignId}","exports":[${items.join(',')}]}`
      send(request, reply, text)
      return reply
    })
}

const send = (request: FastifyRequest, reply: FastifyReply, text: string): void => {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  reply
    .header('etag', etag)
    .header('cache-control', 'no-store')
    .header('link', LINK)
    .header('x-request-id', request.id)
    .header('x-content-type-options', 'nosniff')
  if (matchesETag(request.headers['if-none-match'], etag)) notModified(reply)
  else reply.type('application/json').serializer(asItIs).send(text)
}

/** With a serializer of its own a string gets no `charset`, which RFC 8259 does not know. */
const asItIs = (text: string): string => text

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** lemlist's bytes are inserted unchanged. They are valid JSON, so the whole is valid JSON, too. */
const textOf = ({ ref, state, firstSeenAt, observedAt, snapshot }: Listed, bodies: Bodies) => {
  const until = state === 'done' ? snapshot?.endOfLife : undefined
  const known = {
    ...{ exportId: ref.exportId, state },
    ...{ firstSeenAt: timeOf(firstSeenAt), observedAt: timeOf(observedAt) },
    ...(until !== undefined && { fileUntil: timeOf(until) }),
  }
  const body = snapshot === undefined ? 'null' : bodies.makeBody(snapshot, ref)
  return `${JSON.stringify(known).slice(0, -1)},"body":${body}}`
}
