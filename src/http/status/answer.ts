import type { FastifyReply } from 'fastify'
import { type ExportRef, isPending } from '../../exports/export.ts'
import { type PollIntervals, watchedIntervalMs } from '../../exports/following/poll-policy.ts'
import type { Reading } from '../../exports/reading/reader.ts'
import { variedBy } from '../negotiation.ts'
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
 * Sends lemlist's bytes, with the headers that tell callers and caches how to treat them. Headers that
 * were set on Node's response before are sent, too; those of `reply.header` are not.
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
  const { request, raw } = reply
  const { snapshot, keptUntil } = reading
  const { text, etag, bytes, encoding } = bodies.bodyOf(snapshot, ref)
  const { age, cacheStatus, cacheControl } = freshnessOf(reading, now)
  request.notes.cacheStatus = cacheStatus
  // Names and values in turn, as Node sends them. Fastify would gather them in an object and read them
  // back from there, which costs a twentieth of a cached answer.
  const headers = [
    'etag',
    etag,
    'age',
    age,
    'cache-status',
    cacheStatus,
    'link',
    snapshot.state === 'done' ? LINKS_OF_DONE : LINK,
    'x-request-id',
    request.id,
    'x-content-type-options',
    'nosniff',
    'cache-control',
    cacheControl,
  ]
  if (keptUntil !== undefined && varies()) {
    headers.push('vary', variedBy(raw.getHeader('vary'), VARY))
  }
  if (isPending(snapshot)) {
    const intervalMs = watchedIntervalMs(now - reading.firstSeenAt, intervals)
    headers.push('retry-after', String(Math.max(1, Math.ceil(intervalMs / 1_000))))
  }
  const isKnown = matchesETag(request.headers['if-none-match'], etag)
  if (!isKnown) headers.push('content-type', 'application/json', 'content-length', bytes)
  raw.writeHead(isKnown ? 304 : 200, headers)
  // Only from here on. Of an error before it, Fastify still makes an answer.
  reply.hijack()
  if (isKnown) raw.end()
  else raw.end(text, encoding)
}
