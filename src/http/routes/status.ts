import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Bounds } from '../../exports/bounds.ts'
import type { ExportRef } from '../../exports/export.ts'
import type { Reading } from '../../exports/reading/reader.ts'
import { callerGone } from '../caller-gone.ts'
import { type AccountParts, countedAs, type Entry } from '../entry.ts'
import type { Streams } from '../events/streams.ts'
import { STATUS_EXAMPLES } from '../openapi/examples.ts'
import {
  ACCESS_PROBLEMS,
  COMMON_PROBLEMS,
  nothing,
  problemResponses,
  STATUS_HEADERS,
} from '../openapi/responses.ts'
import { exportParams, exportStatus, statusHeaders } from '../openapi/schemas.ts'
import { SECURITY } from '../openapi/security.ts'
import { type AnswerOptions, sendStatus } from '../status/answer.ts'
import { waitPreference } from '../status/preference.ts'

interface StatusRouteOptions extends AnswerOptions {
  readonly entry: Pick<Entry, 'enter'>
  readonly streams: Pick<Streams, 'draining' | 'max'>
  /** Whether reads that are not cached are turned away. Then none is held. Default: never. */
  readonly isOverloaded?: (() => boolean) | undefined
  /** Counts where a status came from. Default: nobody counts. */
  readonly bounds?: Bounds | undefined
  readonly countRead?: ((how: Reading['how']) => void) | undefined
}

const schema = {
  operationId: 'getExportStatus',
  tags: ['exports'],
  summary: 'Get the status of an export',
  description:
    'Mirrors lemlist: the body is its JSON, byte for byte. A final status comes from the cache, every other one from lemlist. Concurrent reads of one export share one call to lemlist.',
  params: exportParams,
  headers: statusHeaders,
  security: SECURITY.credential,
  response: {
    200: {
      description: 'What lemlist says now, or what it said last.',
      headers: STATUS_HEADERS,
      content: { 'application/json': { schema: exportStatus, examples: STATUS_EXAMPLES } },
    },
    304: nothing('The status has not changed since the `ETag` in `If-None-Match`.', STATUS_HEADERS),
    ...problemResponses(
      'invalid-id',
      ...COMMON_PROBLEMS,
      ...ACCESS_PROBLEMS,
      'rate-limited',
      'overloaded',
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

/** Serves the mirror. A cache hit costs one look-up and a reply with bytes that are prepared. */
export const statusRoute = (app: FastifyInstance, options: StatusRouteOptions) => {
  const { entry, streams } = options
  let waiting = 0
  options.bounds?.('held-reads', () => waiting / streams.max)

  /**
   * Holds the answer until the export is over, `seconds` have passed, the caller leaves, the account
   * is closed or the gateway stops.
   */
  const held = async (
    gone: AbortSignal,
    { watch, closed }: AccountParts,
    ref: ExportRef,
    seconds: number,
    callerId: string | undefined,
  ) => {
    waiting += 1
    try {
      const signals = [gone, streams.draining, closed]
      return await watch.wait(ref, seconds * 1_000, signals, callerId)
    } finally {
      waiting -= 1
    }
  }

  app
    .withTypeProvider<ZodTypeProvider>()
    .get('/campaigns/:campaignId/export/:exportId/status', { schema }, (request, reply) => {
      const wait = waitPreference(request.headers.prefer)
      // As many requests may wait as there may be streams (`SSE_MAX_STREAMS`). Further ones are
      // answered at once.
      const holds = wait !== undefined && waiting < streams.max && options.isOverloaded?.() !== true
      if (holds) reply.raw.setHeader('preference-applied', `wait=${wait}`)
      const { account, caller, ref } = entry.enter(request, 'status', request.params)
      const { reader } = account
      const answer = (reading: Reading, now = Date.now()): void => {
        options.countRead?.(reading.how)
        sendStatus(reply, ref, reading, now, options)
      }
      const now = Date.now()
      const cached = reader.peek(ref, now)
      // A hit is answered without a promise.
      if (cached !== undefined) return answer(cached, now)
      const callerId = countedAs(caller)
      const reading = holds
        ? held(callerGone(reply.raw), account, ref, wait, callerId)
        : reader.read(ref, { callerId })
      return reading.then((read) => answer(read))
    })
}
