import type { ExportRef, Snapshot } from '../../exports/export.ts'
import type { Bodies } from '../status/bodies.ts'
import { type Frames, GONE, manyFrames } from './frames.ts'
import type { Told } from './lines.ts'

/** The events of the stream of a campaign: those of many exports, with an id that can be read again. */

const START = 'c.'
/** Five letters are 30 bits. So among 200 marks one stands for another export once in five million times. */
const MARK_LENGTH = 5
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * Names what a client was told of one export: its last status and its trouble, or that it is gone. The
 * state of a stream is made of these marks. The hash is FNV-1a, which is quick.
 */
const markOf = ({ exportId }: ExportRef, part: string): string => {
  let hash = 0x811c9dc5
  for (const text of [exportId, part]) {
    for (let index = 0; index < text.length; index += 1) {
      hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
    }
    hash = Math.imul(hash ^ 0x3d, 0x01000193)
  }
  let mark = ''
  for (let letter = 0; letter < MARK_LENGTH; letter += 1) {
    mark += LETTERS[(hash >>> (6 * letter)) & 63]
  }
  return mark
}

const partOf = ({ snapshot, word }: Told): string => {
  if (word?.kind === 'gone') return GONE
  const version = snapshot?.version ?? ''
  return word === undefined ? version : `${version}!${word.code}`
}

/** The marks of statuses without trouble, which are the same for every stream. */
const marks = new WeakMap<Snapshot, string>()

/** The mark of what a client was told of an export; empty when it was told nothing. */
export const campaignPart = (told: Told): string => {
  const { ref, snapshot, word } = told
  if (word !== undefined) return markOf(ref, partOf(told))
  if (snapshot === undefined) return ''
  const known = marks.get(snapshot)
  if (known !== undefined) return known
  const mark = markOf(ref, partOf(told))
  marks.set(snapshot, mark)
  return mark
}

/** The id of what a client was told of the exports of a campaign. */
export const campaignStateId = (parts: readonly string[]): string => START + parts.join('')

/** The longest id of a stream of so many exports. */
export const longestStateId = (exports: number): number => START.length + MARK_LENGTH * exports

/**
 * Returns a function that says whether the client that was told this state was told this of an export.
 * An id that no gateway has made for the stream of a campaign says nothing.
 */
export const toldBefore = (id: string | undefined): ((told: Told) => boolean) | undefined => {
  if (id?.startsWith(START) !== true) return undefined
  return (told) => {
    const wanted = campaignPart(told)
    for (let from = START.length; wanted !== '' && from < id.length; from += MARK_LENGTH) {
      if (id.startsWith(wanted, from)) return true
    }
    return false
  }
}

/** One body may belong to two exports, so the marks of statuses are made for each snapshot object. */
export const campaignFrames = (bodies: Bodies): Frames => ({
  ...manyFrames(bodies),
  part: campaignPart,
  stateId: campaignStateId,
})
