import type { FastifyRequest } from 'fastify'
import { Problem } from '../../problems.ts'

/** What the headers and the query of a request say about the stream that it asks for. */

const EVENT_STREAM_RANGE = /^(text\/event-stream|text\/\*|\*\/\*)$/i
const NEVER = /^q=0(\.0*)?$/i

const takesEventStream = (range: string): boolean => {
  const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
  return EVENT_STREAM_RANGE.test(type) && !parameters.some((parameter) => NEVER.test(parameter))
}

/**
 * An `Accept` that names nothing excludes nothing, like a missing one.
 *
 * @throws Problem 406 when the caller does not accept an event stream
 */
export const requireEventStream = (accept = ''): void => {
  // What an EventSource sends needs no look at ranges.
  if (accept === 'text/event-stream') return
  const ranges = accept.split(',').filter((range) => range.trim() !== '')
  if (ranges.length === 0 || ranges.some(takesEventStream)) return
  throw new Problem('not-acceptable', 'This route serves text/event-stream and nothing else.')
}

const LAST_EVENT_ID = /^[A-Za-z0-9._:-]+$/
/** No id of one export, or of the state of many, is longer. */
const MAX_ID_LENGTH = 100

/**
 * The id of the last event that the client says it has received. The query parameter counts where
 * the header is missing: polyfills send the parameter, because a browser may not let them send the
 * header. A value that cannot be an id of the gateway counts as none.
 *
 * @param longest how many letters an id of this stream has at most
 */
export const lastEventId = (
  { headers }: Pick<FastifyRequest, 'headers'>,
  query: { readonly lastEventId?: string | undefined },
  longest = MAX_ID_LENGTH,
): string | undefined => {
  // EventSource sends no header for an empty id, and a proxy may make an empty header of none.
  const sent = headers['last-event-id'] || query.lastEventId
  if (typeof sent !== 'string' || sent.length > longest) return undefined
  return LAST_EVENT_ID.test(sent) ? sent : undefined
}
