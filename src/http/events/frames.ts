import { createHash } from 'node:crypto'
import type { ExportRef, Snapshot } from '../../exports/export.ts'
import type { Word } from '../../exports/watching/topic.ts'
import { Problem, type ProblemCode, toDocument } from '../../problems.ts'
import type { Bodies } from '../status/bodies.ts'
import type { Told } from './lines.ts'
import { encodeEvent, encodeId } from './sse.ts'
import { type Encoded, encode, encodeShared } from './wire.ts'

/** Encodes the events of a stream. A status is encoded once, and the same bytes go to every stream. */
export interface Frames {
  status(snapshot: Snapshot, ref: ExportRef, state: StateId): Encoded
  /**
   * A `problem` event for trouble that passes, a `gone` event for the end of an export.
   *
   * @param requestId of the stream, so that a caller's report leads to the log line of the stream
   */
  word(word: Word, ref: ExportRef, state: StateId, requestId: string): Encoded
  /** The part that one export has in the state of a stream. */
  part(told: Told): string
  /**
   * The id of the state of a client that was told this of the exports of its stream.
   *
   * @param areOver whether it was told that all of them are over
   */
  stateId(parts: readonly string[], areOver: boolean): string
  /** The `end` event: nothing more will come. */
  end(topics: readonly Told[]): Uint8Array
}

/** Makes the id of an event for those frames that need one. */
interface StateId {
  id(): string
}

/** Remembers the encoding of an object as long as other code holds the object. */
const memo = <Key extends object>(textOf: (key: Key, ref: ExportRef) => string) => {
  const encoded = new WeakMap<Key, Encoded>()
  return (key: Key, ref: ExportRef): Encoded => {
    const known = encoded.get(key)
    if (known !== undefined) return known
    const frame = encodeShared(textOf(key, ref))
    encoded.set(key, frame)
    return frame
  }
}

/**
 * The id of a `gone` event. A reconnect with this id is answered 204, like a reconnect with the id
 * of a final status.
 */
export const goneId = (code: ProblemCode): string => `gone.${code}`

const ENDS: readonly ProblemCode[] = [
  'export-not-found',
  'campaign-not-found',
  'export-timed-out',
  'export-expired',
]
const GONE_IDS: ReadonlySet<string> = new Set(ENDS.map(goneId))

/** Whether this is the id of a `gone` event, with which a stream may have ended. */
export const isGoneId = (id: string): boolean => GONE_IDS.has(id)

/**
 * How the state of a many-exports stream names an export that is gone. The problem's code is not
 * part of it, because the gateway remembers the code for few exports only. With the code, the
 * gateway could not compute the same state again when a client reconnects, and could not tell that
 * the client has been told everything.
 */
export const GONE = 'gone'

/** How the state of a many-exports stream names an export of which this was told. */
export const manyPart = ({ campaignId, exportId }: ExportRef, told: string): string =>
  `${campaignId}/${exportId}=${told}`

const encodeWord = (
  word: Word,
  { campaignId, exportId }: ExportRef,
  requestId: string,
  id?: string,
): Encoded => {
  const problem = toDocument(new Problem(word.code, word.detail), requestId)
  const event = encodeEvent({
    event: word.kind === 'gone' ? 'gone' : 'problem',
    data: JSON.stringify({ ...problem, campaignId, exportId }),
    ...(id !== undefined && { id }),
  })
  return encode(event)
}

/**
 * One hour. A client that nobody closes at `end` would come back every few seconds, for ever. Some
 * libraries ignore the 204 that answers them.
 */
const END_RETRY_MS = 3_600_000

const encodeEnd = (reason: string): Uint8Array =>
  Buffer.from(
    encodeEvent({ event: 'end', data: JSON.stringify({ reason }), retryMs: END_RETRY_MS }),
  )

/**
 * The events of a stream of one export. The data of a `status` is the body of the GET, and the id
 * is the version of that body.
 */
export const singleFrames = ({ makeBody }: Bodies): Frames => {
  const status = memo<Snapshot>((snapshot, ref) =>
    encodeEvent({ event: 'status', data: makeBody(snapshot, ref), id: snapshot.version }),
  )
  return {
    status,
    word: (word, ref, _state, requestId) =>
      encodeWord(word, ref, requestId, word.kind === 'gone' ? goneId(word.code) : undefined),
    part: ({ snapshot }) => snapshot?.version ?? '',
    stateId: ([part = '']) => part,
    end: ([told]) =>
      encodeEnd(told?.word?.kind === 'gone' ? 'gone' : (told?.snapshot?.state ?? 'gone')),
  }
}

/**
 * The events of a stream of many exports. The data of an event names its export, and the id names
 * the state of all exports of the stream.
 */
export const manyFrames = ({ makeBody }: Bodies): Frames => {
  // lemlist's bytes are inserted unchanged. They are valid JSON, so the whole is valid JSON, too.
  const status = memo<Snapshot>((snapshot, ref) => {
    const { campaignId, exportId } = ref
    const body = makeBody(snapshot, ref)
    const data = `{"campaignId":"${campaignId}","exportId":"${exportId}","body":${body}}`
    return encodeEvent({ event: 'status', data })
  })
  return {
    status: (snapshot, ref, state) => withId(status(snapshot, ref), state.id()),
    word: (word, ref, state, requestId) => encodeWord(word, ref, requestId, state.id()),
    part: ({ ref, snapshot, word }) =>
      manyPart(ref, word?.kind === 'gone' ? GONE : (snapshot?.version ?? 'unknown')),
    stateId: manyStateId,
    end: () => encodeEnd('complete'),
  }
}

/**
 * Puts an id in front of an encoded event. The fields of an event may come in any order, so the
 * shared bytes stay unchanged.
 */
const withId = ({ bytes }: Encoded, id: string): Encoded => ({
  bytes: Buffer.concat([Buffer.from(encodeId(id)), bytes]),
})

/**
 * The id of the state of many exports. It begins with `over` when all of them are over and nothing
 * more will come, else with `open`.
 */
export const manyStateId = (parts: readonly string[], areOver: boolean): string => {
  const hash = createHash('sha256').update(parts.join('\n')).digest('base64url').slice(0, 22)
  return `${areOver ? 'over' : 'open'}.${hash}`
}
