import { createHash } from 'node:crypto'
import type { ExportRef, Snapshot } from '../../exports/export.ts'
import { isOver, type Topic, type Word } from '../../exports/watching/hub.ts'
import { Problem, type ProblemCode, toDocument } from '../../problems.ts'
import { newRequestId } from '../request-id.ts'
import type { Bodies } from '../status/bodies.ts'
import { encodeEvent, encodeId } from './sse.ts'

/** The events of a stream. Each is encoded once per change, and the same bytes go to every stream. */
export interface Frames {
  status(snapshot: Snapshot, ref: ExportRef, stateId: string): Uint8Array
  /** `problem` for trouble, `gone` for an end. */
  word(word: Word, ref: ExportRef, stateId: string): Uint8Array
  /** The id of the state in which a stream has told all that these topics hold. */
  stateId(topics: readonly Told[]): string
  /** Nothing more will come. */
  end(topics: readonly Told[]): Uint8Array
}

type Told = Pick<Topic, 'ref' | 'snapshot' | 'word'>

const utf8 = new TextDecoder()
const bytes = (text: string): Uint8Array => Buffer.from(text)

/** The encoding of an object, as long as somebody holds the object. */
const memo = <Key extends object>(encode: (key: Key, ref: ExportRef) => string) => {
  const encoded = new WeakMap<Key, Uint8Array>()
  return (key: Key, ref: ExportRef): Uint8Array => {
    const known = encoded.get(key)
    if (known !== undefined) return known
    const frame = bytes(encode(key, ref))
    encoded.set(key, frame)
    return frame
  }
}

/** The id of an end that no status carries; it answers 204 on a reconnect, like that of a final status. */
export const goneId = (code: ProblemCode): string => `gone.${code}`

const ENDS: readonly ProblemCode[] = [
  'export-not-found',
  'campaign-not-found',
  'export-timed-out',
  'export-expired',
]
const GONE_IDS: ReadonlySet<string> = new Set(ENDS.map(goneId))

/** Whether a stream may have ended with it. */
export const isGoneId = (id: string): boolean => GONE_IDS.has(id)

/**
 * Such an end in the state of many. Without its code, which is remembered of few of them: a client that
 * comes back could not be told from one that has not heard of it.
 */
export const GONE = 'gone'

/** One export's part of the state of a stream. */
const partOf = ({ snapshot, word }: Told): string =>
  word?.kind === 'gone' ? GONE : (snapshot?.version ?? 'unknown')

const encodeWord = (word: Word, { campaignId, exportId }: ExportRef, id?: string): string => {
  const problem = toDocument(new Problem(word.code, word.detail), newRequestId())
  return encodeEvent({
    event: word.kind === 'gone' ? 'gone' : 'problem',
    data: JSON.stringify({ ...problem, campaignId, exportId }),
    ...(id !== undefined && { id }),
  })
}

const encodeEnd = (reason: string): Uint8Array =>
  bytes(encodeEvent({ event: 'end', data: JSON.stringify({ reason }) }))

/** One export: the data is the JSON of the GET, the id is its version. */
export const singleFrames = ({ bodyOf }: Bodies): Frames => {
  const status = memo<Snapshot>((snapshot, ref) =>
    encodeEvent({
      event: 'status',
      data: utf8.decode(bodyOf(snapshot, ref)),
      id: snapshot.version,
    }),
  )
  const word = memo<Word>((said, ref) =>
    encodeWord(said, ref, said.kind === 'gone' ? goneId(said.code) : undefined),
  )
  return {
    status,
    word,
    // Every event of a stream of one says by itself what it is.
    stateId: () => '',
    end: ([told]) =>
      encodeEnd(told?.word?.kind === 'gone' ? 'gone' : (told?.snapshot?.state ?? 'gone')),
  }
}

/** Many exports: the data says of which one it speaks, the id names the state of all of them. */
export const manyFrames = ({ bodyOf }: Bodies): Frames => {
  // lemlist's bytes stay as they are: they are JSON, so the whole is.
  const status = memo<Snapshot>((snapshot, ref) => {
    const { campaignId, exportId } = ref
    const body = utf8.decode(bodyOf(snapshot, ref))
    const data = `{"campaignId":"${campaignId}","exportId":"${exportId}","body":${body}}`
    return encodeEvent({ event: 'status', data })
  })
  const word = memo<Word>((said, ref) => encodeWord(said, ref))
  return {
    status: (snapshot, ref, stateId) => withId(status(snapshot, ref), stateId),
    word: (said, ref, stateId) => withId(word(said, ref), stateId),
    stateId: (topics) =>
      manyStateId(
        topics.every(isOver),
        topics.map((told) => [told.ref, partOf(told)]),
      ),
    end: () => encodeEnd('complete'),
  }
}

/** A field may come anywhere in its event: the shared bytes keep their place behind it. */
const withId = (frame: Uint8Array, id: string): Uint8Array =>
  Buffer.concat([bytes(encodeId(id)), frame])

/** The id of a state of many exports; one that begins with `over` says that nothing more will come. */
export const manyStateId = (
  over: boolean,
  parts: readonly (readonly [ExportRef, string])[],
): string => {
  const state = parts.map(([{ campaignId, exportId }, part]) => `${campaignId}/${exportId}=${part}`)
  const hash = createHash('sha256').update(state.join('\n')).digest('base64url').slice(0, 22)
  return `${over ? 'over' : 'open'}.${hash}`
}
