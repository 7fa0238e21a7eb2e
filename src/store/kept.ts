import type { FinalRecord, ResultRecord, TimedOutRecord } from '../exports/ports.ts'

/** The rules of `Results` that every store in this process keeps. Times are epoch milliseconds. */

/** What a record still says at `now`: itself, that it expired, or nothing any more. */
export const keptAt = (record: ResultRecord | undefined, now: number): ResultRecord | undefined => {
  if (record === undefined || now >= record.forgetAt) return undefined
  if (record.kind !== 'final' || now < record.snapshot.endOfLife) return record
  return { kind: 'expired', forgetAt: record.forgetAt }
}

/** When `keptAt` next says something else: until then a sweep need not look at the record. */
export const changesAt = (record: ResultRecord): number =>
  record.kind === 'final' ? Math.min(record.snapshot.endOfLife, record.forgetAt) : record.forgetAt

/** Put-if-absent, except that a final answer beats our own guess that there will be none. */
export const prevails = (
  next: FinalRecord | TimedOutRecord,
  kept: ResultRecord | undefined,
): boolean => kept === undefined || (next.kind === 'final' && kept.kind === 'timed-out')
