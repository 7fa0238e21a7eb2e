import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Word } from '../../exports/watching/topic.ts'
import { Problem, type ProblemCode, toDocument } from '../../problems.ts'
import { callerOf, countedAs } from '../entry.ts'
import { exportParams } from '../openapi/schemas.ts'
import { type Cut, sendAway } from './ending.ts'
import { writeStreamHead } from './head.ts'
import { encodeEvent, SOON_RETRY_MS, spread } from './sse.ts'
import type { Streams } from './streams.ts'

/** Who may open a stream, and how a client is turned away that must come back later. */

/** A client that finds no room is told to come back late, so that others can leave meanwhile. */
const REFUSED_RETRY_MS = { min: 10_000, max: 30_000 }

/**
 * Turns a client away that must come back later: answers 200 and ends at once. Any other status
 * would end a browser's EventSource for good.
 *
 * @param word the trouble to tell; undefined while the gateway stops
 */
const turnAway = (request: FastifyRequest, reply: FastifyReply, cut: Cut, word?: Word): void => {
  const { min, max } = word === undefined ? SOON_RETRY_MS : REFUSED_RETRY_MS
  reply.hijack()
  const { raw } = reply
  raw.on('error', () => {})
  writeStreamHead(raw, request.id)
  sendAway(raw, cut, spread(min, max), word && problemEvent(word, request))
}

const problemEvent = ({ code, detail }: Word, { id, params }: FastifyRequest): string => {
  // The stream of many exports has no ids in its path. Before a caller is known, nobody has checked
  // the ids.
  const ids = exportParams.safeParse(params)
  const problem = toDocument(new Problem(code, detail), id)
  return encodeEvent({ event: 'problem', data: JSON.stringify({ ...problem, ...ids.data }) })
}

const trouble = (code: ProblemCode, detail: string): Word => ({ kind: 'trouble', code, detail })

/** Whether one more stream may open. If not, this function has already turned the client away. */
export const admits = (request: FastifyRequest, reply: FastifyReply, streams: Streams): boolean => {
  if (streams.isDraining()) {
    turnAway(request, reply, streams.cut)
    return false
  }
  const word = refusalOf(request, streams)
  if (word === undefined) return true
  turnAway(request, reply, streams.cut, word)
  return false
}

const refusalOf = (request: FastifyRequest, streams: Streams): Word | undefined => {
  if (!streams.hasRoom()) {
    return trouble('overloaded', 'This gateway has reached its limit of open streams.')
  }
  if (streams.isOverloaded()) {
    return trouble('overloaded', 'This gateway has too much to do to open another stream.')
  }
  if (streams.hasRoomFor(countedAs(callerOf(request)))) return undefined
  return trouble('rate-limited', 'This caller has reached its limit of open streams.')
}

/**
 * What the hook that authenticates does with trouble that passes. An HTTP status would end a
 * browser's EventSource for good.
 */
export const turnAwayFrom =
  ({ cut }: Pick<Streams, 'cut'>) =>
  (request: FastifyRequest, reply: FastifyReply, { code, message }: Problem): void =>
    turnAway(request, reply, cut, { kind: 'trouble', code, detail: message })
