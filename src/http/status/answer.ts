import type { FastifyReply } from 'fastify'
import { type ExportRef, isPending } from '../../exports/export.ts'
import { type PollIntervals, watchedIntervalMs } from '../../exports/following/poll-policy.ts'
import type { Reading } from '../../exports/reading/reader.ts'
import { varyBy } from '../negotiation.ts'
import type { Bodies } from './bodies.ts'
import { matchesETag } from './conditional.ts'
import { freshnessOf } from './freshness.ts'

/** Relative to the URL of the status, so that the links also hold below a path prefix. */
const LINK = '<events>; rel="monitor"; type="text/event-stream"'
const LINKS_OF_DONE = `${LINK}, <file>; rel="enclosure"; type="text/csv"`

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

/**
 * Sends lemlist's bytes, with the headers that tell callers and caches how to treat them.
 *
 * @param now epoch milliseconds
 */
export const sendStatus = (
  reply: FastifyReply,
  ref: ExportRef,
  reading: Reading,
  now: number,
  { intervals, bodies, varies }: AnswerOptions,
): void => {
  const { request } = reply
  const { snapshot, keptUntil } = reading
  const { text, etag } = bodies.bodyOf(snapshot, ref)
  const { age, cacheStatus, cacheControl } = freshnessOf(reading, now)
  request.notes.cacheStatus = cacheStatus
  reply
    .header('etag', etag)
    .header('age', age)
    .header('cache-status', cacheStatus)
    .header('link', snapshot.state === 'done' ? LINKS_OF_DONE : LINK)
    .header('x-request-id', request.id)
    .header('x-content-type-options', 'nosniff')
    .header('cache-control', cacheControl)
  if (keptUntil !== undefined && varies()) varyBy(reply, VARY)
  if (isPending(snapshot)) {
    const intervalMs = watchedIntervalMs(now - reading.firstSeenAt, intervals)
    reply.header('retry-after', String(Math.max(1, Math.ceil(intervalMs / 1_000))))
  }
  if (matchesETag(request.headers['if-none-match'], etag)) reply.code(304).send()
  else sendJson(reply, text)
}

/** Sends a text that is JSON already. */
export const sendJson = (reply: FastifyReply, text: string): void => {
  reply.type('application/json').serializer(asItIs).send(text)
}

/** With a serializer of its own a string gets no `charset`, which RFC 8259 does not know. */
const asItIs = (text: string): string => text
