import type { FinalRecord, ResultRecord, TimedOutRecord } from '../exports/ports.ts'

/** The rules of `Results` that the stores share. Times are epoch milliseconds. */

/** Returns what is left of a record at `now`: the record, an expired record, or nothing. */
export const keptAt = (record: ResultRecord | undefined, now: number): ResultRecord | undefined => {
  if (record === undefined || now >= record.forgetAt) return undefined
  if (record.kind !== 'final' || now < record.snapshot.endOfLife) return record
  return { kind: 'expired', forgetAt: record.forgetAt }
}

/** Returns when the result of `keptAt` changes next. Until then a sweep can skip the record. */
export const changesAt = (record: ResultRecord): number =>
  record.kind === 'final' ? Math.min(record.snapshot.endOfLife, record.forgetAt) : record.forgetAt

/** lemlist keeps a file for 24 h, and the gateway the verdict that an export timed out for as long. */
const VERDICT_MS = 24 * 3_600_000

/** Returns when an export was first seen for which only the record says that. */
export const seenAtOf = (record: FinalRecord | TimedOutRecord): number =>
  record.kind === 'final' ? record.snapshot.observedAt : record.forgetAt - VERDICT_MS

/**
 * Whether `next` is put: it is if nothing is kept. A final answer also replaces a `timed-out`,
 * which is only the gateway's guess that no answer will come.
 */
export const prevails = (
  next: FinalRecord | TimedOutRecord,
  kept: ResultRecord | undefined,
): boolean => kept === undefined || (next.kind === 'final' && kept.kind === 'timed-out')
