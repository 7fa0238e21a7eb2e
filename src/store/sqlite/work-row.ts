import type { SQLOutputValue } from 'node:sqlite'
import { type Fields, isTime, objectFrom, parsed } from '../../exports/parsed.ts'
import { damagedWork, type Work } from '../work.ts'
import { checksumOf } from './record.ts'

type Row = Record<string, SQLOutputValue>
type Finished = Extract<Work, { state: 'finished' }>
/** Work without its answer, which has a column of its own. */
type Answerless = Exclude<Work, Finished> | Omit<Finished, 'answer'>

/** Returns the whole row of a key. */
export const encodeWork = (key: string, work: Work) => {
  const { answerless, answer } = takeAnswerOut(work)
  const record = JSON.stringify(answerless)
  return {
    key,
    // The row holds the key twice. When a bit of one flips, the other still says what was taken.
    copy: key,
    forget_at: work.forgetAt,
    record,
    answer,
    checksum: checksumOf(key, record, answer),
  }
}

/** Returns undefined when the row is not, bit for bit, what `encodeWork` made. */
export const decodeWork = (row: Row): Work | undefined => {
  const { key, record, answer, checksum } = row
  if (typeof key !== 'string' || typeof record !== 'string') return undefined
  if (answer !== null && !(answer instanceof Uint8Array)) return undefined
  if (!(checksum instanceof Uint8Array)) return undefined
  if (!checksumOf(key, record, answer).equals(checksum)) return undefined
  // The checksum shows damage. It does not show who wrote the record, so each field is checked.
  const work = answerlessFrom(objectFrom(parsed(record)))
  if (work === undefined || row.copy !== key || row.forget_at !== work.forgetAt) return undefined
  if (work.state !== 'finished') return work
  return answer === null ? undefined : { ...work, answer }
}

const answerlessFrom = ({ state, forgetAt, inProgressUntil }: Fields): Answerless | undefined => {
  if (!isTime(forgetAt)) return undefined
  if (state === 'finished' || state === 'given-up') return { state, forgetAt }
  return state === 'begun' && isTime(inProgressUntil)
    ? { state, forgetAt, inProgressUntil }
    : undefined
}

/** Returns what replaces a damaged row. Each key that the row may have held stays taken. */
export const remnantsOf = ({ key, copy }: Row, now: number) =>
  [...new Set([String(key), String(copy)])].map((taken) => encodeWork(taken, damagedWork(now)))

const takeAnswerOut = (work: Work): { answerless: Answerless; answer: Uint8Array | null } => {
  if (work.state !== 'finished') return { answerless: work, answer: null }
  const { answer, ...answerless } = work
  return { answerless, answer }
}
