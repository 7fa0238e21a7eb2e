import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Observer } from '../../exports/ports.ts'
import { isDamage } from './errors.ts'
import { inTransaction } from './transaction.ts'

type Row = Record<string, SQLOutputValue>
type NewRow = Record<string, SQLInputValue>

export interface Repair {
  readonly table: 'followed' | 'idempotency'
  isSound(row: Row): boolean
  /** Returns the rows that replace a damaged row. Default: none. */
  remnantsOf?(row: Row): readonly NewRow[]
}

/**
 * Replaces the damaged rows of a table by what is left of them, and reports each of them. This
 * happens when the file is opened, because later it would be too late: queries would never find a
 * row that has a wrong time or is missing in the index, or would find it again and again.
 */
export const repairTable = (
  db: DatabaseSync,
  { table, isSound, remnantsOf = () => [] }: Repair,
  storeFailed: Observer['storeFailed'],
): void => {
  const sound: Row[] = []
  const remnants: NewRow[] = []
  const failures: unknown[] = []
  try {
    for (const row of db.prepare(`select * from ${table} not indexed`).iterate()) {
      if (isSound(row)) sound.push(row)
      else {
        failures.push(new DamagedRow(table))
        remnants.push(...remnantsOf(row))
      }
    }
    // This checks whether the index agrees with the rows.
    const check = db.prepare(`pragma integrity_check(${table})`).get()?.integrity_check
    if (check !== 'ok' && failures.length === 0) failures.push(new DamagedRow(table))
  } catch (error) {
    // The rows behind the damaged page are lost. This is better than a gateway that does not start.
    if (!isDamage(error)) throw error
    failures.push(error)
  }
  if (failures.length === 0) return
  // The sound rows come first, so that no remnant takes the key of one.
  inTransaction(db, () => writeAnew(db, table, [...sound, ...remnants]))
  for (const failure of failures) storeFailed('corrupt-record', failure)
}

/** Writes the whole table again: where keys are out of order, no single row can be deleted. */
const writeAnew = (db: DatabaseSync, table: Repair['table'], rows: readonly NewRow[]): void => {
  const select = db.prepare(`select * from ${table}`)
  const columns = select.columns().map(({ name }) => name)
  db.exec(`delete from ${table}`)
  const insert = db.prepare(
    `insert into ${table} (${columns.join(', ')}) values (${columns.map((name) => `:${name}`).join(', ')})
     on conflict do nothing`,
  )
  for (const row of rows) insert.run(row)
}

export class DamagedRow extends Error {
  override readonly name = 'DamagedRow'
  constructor(table: Repair['table']) {
    super(`A row of the table ${table} is damaged`)
  }
}
