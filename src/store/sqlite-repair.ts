import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Observer } from '../exports/ports.ts'
import { isDamage } from './sqlite-errors.ts'
import { decodeTracked } from './sqlite-record.ts'
import { inTransaction } from './sqlite-transaction.ts'

type Row = Record<string, SQLOutputValue>

/**
 * Drops the damaged rows of the schedule and counts them. Done when the file is opened: a row whose
 * due time is wrong, or that its index cannot lead to, would never be met, or be met without end.
 */
export const repairSchedule = (db: DatabaseSync, storeFailed: Observer['storeFailed']): void => {
  const sound: Row[] = []
  const failures: unknown[] = []
  try {
    for (const row of db.prepare('select * from schedule not indexed').iterate()) {
      if (decodeTracked(String(row.export), row) !== undefined) sound.push(row)
      else failures.push(new DamagedRow())
    }
    // Whether the index says the same.
    const check = db.prepare('pragma integrity_check(schedule)').get()?.integrity_check
    if (check !== 'ok' && failures.length === 0) failures.push(new DamagedRow())
  } catch (error) {
    // The rows behind the damaged page are lost: better than a gateway that does not start.
    if (!isDamage(error)) throw error
    failures.push(error)
  }
  if (failures.length === 0) return
  inTransaction(db, () => writeAnew(db, sound))
  for (const failure of failures) storeFailed('corrupt-record', failure)
}

/** Where keys are out of order no single row can be deleted. */
const writeAnew = (db: DatabaseSync, rows: readonly Row[]): void => {
  db.exec('delete from schedule')
  const insert = db.prepare(
    `insert into schedule (export, due_at, deadline, record, checksum)
     values (:export, :due_at, :deadline, :record, :checksum) on conflict do nothing`,
  )
  for (const row of rows) insert.run(row)
}

export class DamagedRow extends Error {
  override readonly name = 'DamagedRow'
  constructor() {
    super('A tracked export is damaged')
  }
}
