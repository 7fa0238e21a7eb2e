import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ExportRef } from '../../exports/export.ts'
import type { Reader } from '../../exports/reading/reader.ts'
import { nextTurn } from '../../exports/slices.ts'
import type { Word } from '../../exports/watching/hub.ts'
import type { Watch } from '../../exports/watching/watch.ts'
import { Problem, toDocument } from '../../problems.ts'
import type { Logger } from '../../telemetry/log.ts'
import type { Bodies } from '../status/bodies.ts'
import { type Cut, type Ending, sendAway } from './ending.ts'
import type { Frames } from './frames.ts'
import { encodeEvent, spread } from './sse.ts'
import { EventStream, STREAM_HEADERS } from './stream.ts'
import type { Streams } from './streams.ts'

/** What both event routes share: opening a stream, and turning a client away. */

export interface EventRouteOptions {
  readonly watch: Watch
  readonly reader: Reader
  readonly streams: Streams
  readonly bodies: Bodies
  readonly logger: Logger
}

/**
 * The longest time that a response waits for the first read before it becomes a stream,
 * milliseconds. Until then a permanent refusal can still be an HTTP status.
 */
export const FIRST_READ_MS = 2_000
/** A client that finds no room is told to come back late, so that others can leave meanwhile. */
const REFUSED_RETRY_MS = { min: 10_000, max: 30_000 }
const DRAINING_RETRY_MS = { min: 1_000, max: 3_000 }

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
  const ranges = accept.split(',').filter((range) => range.trim() !== '')
  if (ranges.length === 0 || ranges.some(takesEventStream)) return
  throw new Problem('not-acceptable', 'This route serves text/event-stream and nothing else.')
}

const LAST_EVENT_ID = /^[A-Za-z0-9._:-]{1,100}$/

/**
 * The id of the last event that the client says it has received. The query parameter counts where
 * the header is missing: polyfills send the parameter, because a browser may not let them send the
 * header. A value that cannot be an id of the gateway counts as none.
 */
export const lastEventId = (
  { headers }: Pick<FastifyRequest, 'headers'>,
  query: { readonly lastEventId?: string | undefined },
): string | undefined => {
  // EventSource sends no header for an empty id, and a proxy may make an empty header of none.
  const sent = headers['last-event-id'] || query.lastEventId
  return typeof sent === 'string' && LAST_EVENT_ID.test(sent) ? sent : undefined
}

const requestId = ({ id }: FastifyRequest) => ({ 'x-request-id': id })

/**
 * Turns a client away that must come back later: answers 200 and ends at once. Any other status
 * would end a browser's EventSource for good.
 *
 * @param word the trouble to tell; undefined while the gateway stops
 */
const turnAway = (request: FastifyRequest, reply: FastifyReply, cut: Cut, word?: Word): void => {
  const { min, max } = word === undefined ? DRAINING_RETRY_MS : REFUSED_RETRY_MS
  reply.hijack()
  const { raw } = reply
  raw.on('error', () => {})
  raw.writeHead(200, { ...STREAM_HEADERS, ...requestId(request) })
  sendAway(raw, cut, spread(min, max), word && problemEvent(word, request))
}

const problemEvent = ({ code, detail }: Word, { id, params }: FastifyRequest): string =>
  encodeEvent({
    event: 'problem',
    // On the stream of one export, `params` adds the ids of the export. Else it is empty.
    data: JSON.stringify(Object.assign(toDocument(new Problem(code, detail), id), params)),
  })

/** Whether one more stream may open. If not, this function has already turned the client away. */
export const admits = (request: FastifyRequest, reply: FastifyReply, streams: Streams): boolean => {
  if (streams.isDraining()) turnAway(request, reply, streams.cut)
  else if (!streams.hasRoom()) {
    const detail = 'This gateway has reached its limit of open streams.'
    turnAway(request, reply, streams.cut, { kind: 'trouble', code: 'overloaded', detail })
  } else return true
  return false
}

/**
 * Builds a stream and joins it to the topics of its exports. It joins before anything is read, so
 * that no change is missed in between.
 */
export const openStream = (
  request: FastifyRequest,
  reply: FastifyReply,
  refs: readonly ExportRef[],
  { frames, isDoubted }: { readonly frames: Frames; readonly isDoubted: boolean },
  { watch, streams, logger }: EventRouteOptions,
): EventStream => {
  const startedAt = performance.now()
  /**
   * Leaves in a turn of its own. When a proxy stops, hundreds of streams close at once, each with
   * up to a hundred exports.
   */
  const leave = async (): Promise<void> => {
    await nextTurn()
    for (const ref of refs) watch.leave(ref, stream)
  }
  const onClose = (ending: Ending): void => {
    streams.remove(stream)
    void leave()
    // A refused stream becomes an ordinary answer, and the request log writes a line for it.
    if (ending === 'refused') return
    const durationMs = Math.round(performance.now() - startedAt)
    const { url } = request.routeOptions
    logger.info(
      { requestId: request.id, route: url, ending, durationMs, caller: 'anonymous' },
      'stream',
    )
  }
  const stream: EventStream = new EventStream(reply.raw, {
    frames,
    refs,
    headers: requestId(request),
    expiresAt: streams.expiry(),
    cut: streams.cut,
    isDoubted,
    onClose,
  })
  streams.add(stream)
  for (const ref of refs) stream.changed(watch.join(ref, stream))
  return stream
}

/**
 * Whether the client may have been told more by another replica than this one knows: it names a
 * state that is unknown here, and the store through which replicas tell each other is away.
 */
export const mayHaveSeenMore = async (
  refs: readonly ExportRef[],
  id: string | undefined,
  { stateId }: Pick<Frames, 'stateId'>,
  watch: Watch,
): Promise<boolean> =>
  id !== undefined && watch.isAlone() && stateId(await watch.known(refs)) !== id

/** Takes the response over from Fastify and begins the stream. */
export const begin = (reply: FastifyReply, stream: EventStream): void => {
  reply.hijack()
  stream.begin()
}

/** Answers 204, which stops an EventSource for good. */
export const noContent = (request: FastifyRequest, reply: FastifyReply): FastifyReply =>
  reply.code(204).header('cache-control', 'no-store').header('x-request-id', request.id).send()

/**
 * Resolves to what the work throws within `ms` milliseconds. Resolves to undefined when the work
 * succeeds or takes longer.
 */
export const within = async (ms: number, work: Promise<void>): Promise<unknown> => {
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(resolve, ms, undefined)
  const outcome = work.then(
    () => undefined,
    (error: unknown) => error,
  )
  try {
    return await Promise.race([outcome, late])
  } finally {
    clearTimeout(timer)
  }
}
