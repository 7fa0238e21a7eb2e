import { expired } from '../ends.ts'
import {
  cameTooLate,
  type ExportRef,
  isFinal,
  isPastLife,
  type ObservedOn,
  type Snapshot,
  supersedes,
} from '../export.ts'
import type { Change } from '../ports.ts'

/** An update without a status: the trouble or the end of an export, for those who watch it. */
export type Word = Extract<Change, { kind: 'trouble' | 'gone' }>

/** What the watchers on this replica know of an export: its newest status, its trouble or end. */
export interface Topic {
  readonly ref: ExportRef
  readonly snapshot: Snapshot | undefined
  readonly word: Word | undefined
  /** When the last update of any kind came, epoch milliseconds. */
  readonly heardAt: number
}

/** Whether there will never be anything new about the export. */
export const isOver = ({ snapshot, word }: Pick<Topic, 'snapshot' | 'word'>): boolean =>
  word?.kind === 'gone' || (snapshot !== undefined && isFinal(snapshot))

/**
 * Returns the topic as it is for somebody who comes at this time, epoch milliseconds. A status whose file is
 * deleted by then is gone, as it is for a reader.
 */
export const asOf = (at: number, topic: Topic): Topic => {
  const { ref, snapshot, heardAt } = topic
  if (snapshot === undefined || !isPastLife(snapshot, at) || cameTooLate(snapshot)) return topic
  const { code, message } = expired()
  return { ref, snapshot: undefined, word: { kind: 'gone', code, detail: message }, heardAt }
}

/**
 * Ends that only a final status can replace. Any status replaces the other ends, because lemlist
 * may know an export a moment after it did not.
 */
const VERDICTS: ReadonlySet<string> = new Set(['export-timed-out', 'export-expired'])

/** Whether lemlist gives an end again whose file it has deleted. Who comes then is told of that one. */
const isGivenAgain = (
  known: Snapshot,
  update: Change,
): update is Extract<Change, { kind: 'status' }> =>
  update.kind === 'status' &&
  isFinal(update.snapshot) &&
  cameTooLate(update.snapshot) &&
  isPastLife(known, update.snapshot.observedAt)

/**
 * Returns the topic after an update. A final status stays for ever, a status ends trouble, and the
 * same trouble is told only once.
 */
export const afterUpdate = (
  { topic, from: previousFrom }: { readonly topic: Topic; readonly from: ObservedOn },
  update: Change,
  from: ObservedOn,
  heardAt: number,
): Topic => {
  const { snapshot, word } = topic
  if (snapshot !== undefined && isGivenAgain(snapshot, update)) {
    return { ...topic, snapshot: update.snapshot, heardAt }
  }
  if (snapshot !== undefined && isFinal(snapshot)) return topic
  if (update.kind === 'status') {
    const previous = snapshot && { snapshot, from: previousFrom }
    if (!supersedes({ snapshot: update.snapshot, from }, previous, heardAt)) return topic
    const hasVerdict = word?.kind === 'gone' && VERDICTS.has(word.code)
    const comesTooLate = hasVerdict && !isFinal(update.snapshot)
    return comesTooLate ? topic : { ...topic, snapshot: update.snapshot, word: undefined, heardAt }
  }
  if (word?.kind === 'gone') return topic
  const same = word?.kind === update.kind && word.code === update.code
  return { ...topic, word: same ? word : update, heardAt }
}
