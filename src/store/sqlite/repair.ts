import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import type { Observer } from '../../exports/ports.ts'
import { isDamage } from './errors.ts'
import { inTransaction } from './transaction.ts'

type Row = Record<string, SQLOutputValue>
type NewRow = Record<string, SQLInputValue>

export interface Repair {
  readonly table: 'schedule' | 'idempotency'
  isSound(row: Row): boolean
  /** What takes the place of a damaged row. Nothing unless told. */
  remnantsOf?(row: Row): readonly NewRow[]
}

/**
 * Puts what is left of them in the place of the damaged rows of a table, and counts them. Done when
 * the file is opened: a row whose time is wrong, or that its index cannot lead to, would never be
 * met, or be met without end.
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
    // Whether the index says the same.
    const check = db.prepare(`pragma integrity_check(${table})`).get()?.integrity_check
    if (check !== 'ok' && failures.length === 0) failures.push(new DamagedRow(table))
  } catch (error) {
    // The rows behind the damaged page are lost: better than a gateway that does not start.
    if (!isDamage(error)) throw error
    failures.push(error)
  }
  if (failures.length === 0) return
  // The sound ones first: no remnant takes the place of one.
  inTransaction(db, () => writeAnew(db, table, [...sound, ...remnants]))
  for (const failure of failures) storeFailed('corrupt-record', failure)
}

/** Where keys are out of order no single row can be deleted. */
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
