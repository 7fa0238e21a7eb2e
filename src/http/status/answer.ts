import type { FastifyReply, FastifyRequest } from 'fastify'
import { isPending } from '../../exports/export.ts'
import { type PollIntervals, watchedIntervalMs } from '../../exports/following/poll-policy.ts'
import type { Reading } from '../../exports/reading/reader.ts'
import { varyBy } from '../negotiation.ts'
import type { ExportParams } from '../openapi/schemas.ts'
import type { Bodies } from './bodies.ts'
import { matchesETag } from './conditional.ts'

const CACHE_NAME = 'lemlist-gateway'
/** The longest time for which a cache may use an answer without asking again, seconds. */
const LONGEST_FRESH_S = 3_600

const seconds = (ms: number): number => Math.max(0, Math.floor(ms / 1_000))

export interface AnswerOptions {
  readonly intervals: PollIntervals
  readonly bodies: Bodies
  /**
   * Whether callers or accounts are told apart. Then a browser must not give what it has kept of one
   * of them to another one.
   */
  readonly varies: () => boolean
}

const VARY = 'Authorization, X-Api-Key, X-Lemlist-Account'

/** Sends lemlist's bytes, with the headers that tell callers and caches how to treat them. */
export const sendStatus = (
  request: FastifyRequest,
  reply: FastifyReply,
  params: ExportParams,
  reading: Reading,
  { intervals, bodies, varies }: AnswerOptions,
): void => {
  const { snapshot, keptUntil } = reading
  const now = Date.now()
  const etag = bodies.etagOf(snapshot)
  const age = seconds(now - snapshot.observedAt)
  const secondsLeft = keptUntil === undefined ? 0 : seconds(keptUntil - now)
  reply
    .header('etag', etag)
    .header('age', String(age))
    .header('cache-status', cacheStatus(reading, secondsLeft))
    .header('link', links(snapshot.state))
    .header('x-request-id', request.id)
    .header('x-content-type-options', 'nosniff')
    .header(
      'cache-control',
      keptUntil === undefined
        ? 'no-store'
        : // A cache subtracts `Age` from `max-age` (RFC 9111, 4.2), so both count from lemlist's word.
          `private, max-age=${age + Math.min(LONGEST_FRESH_S, secondsLeft)}`,
    )
  if (keptUntil !== undefined && varies()) {
    varyBy(reply, VARY)
  }
  if (isPending(snapshot)) {
    const intervalMs = watchedIntervalMs(now - reading.firstSeenAt, intervals)
    reply.header('retry-after', String(Math.max(1, Math.ceil(intervalMs / 1_000))))
  }
  if (matchesETag(request.headers['if-none-match'], etag)) reply.code(304).send()
  else sendJson(reply, bodies.bodyOf(snapshot, params))
}

/** Sends a text that is JSON already. */
export const sendJson = (reply: FastifyReply, text: string): void => {
  reply.type('application/json').serializer(asItIs).send(text)
}

/** With a serializer of its own a string gets no `charset`, which RFC 8259 does not know. */
const asItIs = (text: string): string => text

const cacheStatus = ({ how, keptUntil }: Reading, secondsLeft: number): string => {
  if (how === 'hit') return `${CACHE_NAME}; hit; ttl=${secondsLeft}`
  if (how === 'stale') return `${CACHE_NAME}; hit; detail=STALE`
  if (how === 'collapsed') return `${CACHE_NAME}; fwd=miss; collapsed`
  return keptUntil === undefined
    ? `${CACHE_NAME}; fwd=miss; fwd-status=200`
    : `${CACHE_NAME}; fwd=miss; stored`
}

/** Relative to the URL of the status, so that the links also hold below a path prefix. */
const links = (state: string): string => {
  const events = '<events>; rel="monitor"; type="text/event-stream"'
  return state === 'done' ? `${events}, <file>; rel="enclosure"; type="text/csv"` : events
}
