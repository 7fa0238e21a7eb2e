import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { campaignMissing } from '../../exports/ends.ts'
import type { ExportRef } from '../../exports/export.ts'
import { nextTurn } from '../../exports/slices.ts'
import type { Topic } from '../../exports/watching/topic.ts'
import type { Logger } from '../../telemetry/log.ts'
import { type AccountParts, callerOf, countedAs, type Entry } from '../entry.ts'
import type { Bodies } from '../status/bodies.ts'
import type { StreamMeter } from './counted.ts'
import { type Ending, isCut } from './ending.ts'
import type { Frames } from './frames.ts'
import { SOON_RETRY_MS, spread } from './sse.ts'
import { EventStream, type StreamOptions } from './stream.ts'
import type { Streams } from './streams.ts'

/** What the event routes share to open a stream. */

export interface EventRouteOptions {
  readonly entry: Entry
  readonly streams: Streams
  readonly bodies: Bodies
  readonly logger: Logger
  /** Counts events and cuts. Default: nobody counts. */
  readonly meter?: StreamMeter | undefined
}

/**
 * The longest time that a response waits for the first read before it becomes a stream,
 * milliseconds. Until then a permanent refusal can still be an HTTP status.
 */
export const FIRST_READ_MS = 2_000

/** Logs an error that nobody expects after a stream has begun. All others are told by its events. */
export const logUnexpected =
  (logger: Logger) =>
  (err: unknown): void =>
    logger.error({ err }, 'an operation failed because of an unexpected error')

/** What a stream tells of. */
export interface Content extends Pick<StreamOptions, 'isEndless' | 'wasTold'> {
  readonly refs: readonly ExportRef[]
  /** Those of the refs that the caller may not see. The stream does not join them. */
  readonly foreign: ReadonlySet<ExportRef>
  /** Undefined when the caller has no such account. Then all refs are foreign. */
  readonly account: AccountParts | undefined
  readonly frames: Frames
  readonly isDoubted: boolean
  /** Called once when the stream is over, for exports that it has admitted beside the refs. */
  readonly onOver?: (() => void) | undefined
}

/**
 * Builds a stream and joins it to the topics of its exports. It joins before anything is read, so
 * that no change is missed in between.
 */
export const openStream = (
  request: FastifyRequest,
  reply: FastifyReply,
  { refs, foreign, account, frames, isDoubted, isEndless, wasTold, onOver }: Content,
  { streams, logger, meter }: Pick<EventRouteOptions, 'streams' | 'logger' | 'meter'>,
): EventStream => {
  // A stream lives for hours. Whatever its closures name stays in memory, so they do not name the
  // request.
  const { notes } = request
  const { raw } = reply
  const watch = account?.watch
  /** As their topics name them, so that the ids of this request need not stay in memory. */
  let joined: readonly ExportRef[] = []
  const onClose = (ending: Ending): void => {
    streams.remove(stream)
    if (isCut(ending)) meter?.cut(ending)
    if (watch !== undefined) void leave(watch, joined, stream)
    onOver?.()
    // A refused stream becomes an ordinary answer.
    if (ending === 'refused') {
      notes.leaveEndTo(undefined)
      return
    }
    notes.write(raw)
    const { ms, requestId, traceId, route, caller, account } = notes.about()
    const durationMs = Math.round(ms)
    logger.info({ requestId, traceId, route, ending, durationMs, caller, account }, 'stream')
  }
  const stream: EventStream = new EventStream(raw, {
    frames,
    refs,
    requestId: request.id,
    expiresAt: streams.expiry(),
    cut: streams.cut,
    isDoubted,
    isEndless,
    wasTold,
    onClose,
  })
  // From here on the stream hears of the end, also when the caller has left since the request came.
  notes.leaveEndTo(stream)
  streams.add(stream, { caller: countedAs(callerOf(request)), account: notes.account ?? '' })
  if (watch !== undefined) {
    const mine = foreign.size === 0 ? refs : refs.filter((ref) => !foreign.has(ref))
    joined = mine.map((ref) => {
      const topic = watch.join(ref, stream)
      stream.changed(topic)
      return topic.ref
    })
  }
  // The account may have been closed since the request came.
  if (account?.closed.aborted) stream.cut('closed', spread(SOON_RETRY_MS.min, SOON_RETRY_MS.max))
  return stream
}

/**
 * Leaves in a turn of its own. When a proxy stops, hundreds of streams close at once, each with up
 * to a hundred exports.
 */
const leave = async (
  watch: AccountParts['watch'],
  refs: readonly ExportRef[],
  stream: EventStream,
): Promise<void> => {
  await nextTurn()
  for (const ref of refs) watch.leave(ref, stream)
}

/** What is told of a foreign export: the same as of one whose campaign lemlist does not know. */
const missingTopic = (ref: ExportRef): Topic => {
  const { code, message } = campaignMissing()
  // A word of its own for each export: frames remember the encoding of a word.
  return { ref, snapshot: undefined, word: { kind: 'gone', code, detail: message }, heardAt: 0 }
}

/**
 * Whether the client may have been shown more by another replica than this one knows: it comes back,
 * and the store through which replicas tell each other is away. An id that is known here proves
 * nothing, because the client may have read the end elsewhere in between.
 */
export const mayHaveSeenMore = (
  account: AccountParts | undefined,
  id: string | undefined,
): boolean => id !== undefined && account?.watch.isAlone() === true

/**
 * Tells of foreign exports what is told of missing ones. The stream has begun before: lemlist's answer for
 * a missing one comes after the beginning, too.
 */
export const tellForeign = (
  { foreign }: { readonly foreign: ReadonlySet<ExportRef> },
  stream: EventStream,
): void => {
  for (const ref of foreign) stream.confirmed(missingTopic(ref))
}

/** Takes the response over from Fastify and begins the stream. */
export const begin = (reply: FastifyReply, stream: EventStream): void => {
  const { request } = reply
  reply.hijack()
  // A stream may be open for hours. Its span is about the opening.
  const { notes } = request
  notes.span?.end({ 'http.response.status_code': 200 })
  notes.span = undefined
  empty(request.raw)
  stream.begin()
}

/** For all requests whose stream has begun. Nobody writes into them. */
const NO_HEADERS = {}
const NO_RAW_HEADERS: string[] = []

/**
 * Node keeps the request as long as its response is open. The headers of a browser are one to two
 * KiB, and a path that names a hundred exports 8 KiB. Nobody reads them any more.
 */
const empty = (raw: IncomingMessage): void => {
  raw.rawHeaders = NO_RAW_HEADERS
  raw.headers = NO_HEADERS
  raw.url = ''
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
