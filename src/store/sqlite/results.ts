import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Observer, ResultRecord, Results } from '../../exports/ports.ts'
import { changesAt, keptAt, prevails } from '../kept.ts'
import { isDamage } from './errors.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { type Commits, inTransaction } from './transaction.ts'

export interface SqliteResultsOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** Called with `corrupt-record` for each damaged record, with `sweep` for a failed sweep. */
  readonly storeFailed: Observer['storeFailed']
  readonly commit: Commits['commit']
}

export interface SqliteResults extends Results {
  /**
   * Drops a slice of the bodies of expired records and of the forgotten rows. Returns true while
   * more is left. Never throws.
   */
  sweep(): boolean
}

/** A slice of so many rows blocks the event loop for at most about 10 ms. */
const SLICE = 100

/**
 * `Results` in a table. The store reports a damaged record as a failure and as a miss, never as a
 * wrong answer. When SQLite cannot write (disk full, read-only), the call rejects and the next may
 * succeed.
 */
export const createSqliteResults = (
  db: DatabaseSync,
  { now, storeFailed, commit }: SqliteResultsOptions,
): SqliteResults => {
  const find = db.prepare('select record, body, checksum from results where export = ?')
  const write = db.prepare(
    `insert into results (export, due_at, record, body, checksum) values (?, ?, ?, ?, ?)
     on conflict do update set due_at = excluded.due_at, record = excluded.record,
       body = excluded.body, checksum = excluded.checksum`,
  )
  const remove = db.prepare('delete from results where export = ?')
  const due = db.prepare(
    `select export, record, body, checksum from results where due_at <= ? order by due_at limit ${SLICE}`,
  )

  const decode = (key: string, row: Record<string, SQLOutputValue>): ResultRecord | undefined => {
    const record = decodeRecord(key, row)
    if (record === undefined) storeFailed('corrupt-record', new Error('A record is damaged'))
    return record
  }

  const keep = (key: string, record: ResultRecord): void => {
    const row = encodeRecord(key, record)
    write.run(key, changesAt(record), row.record, row.body, row.checksum)
  }

  const held = (key: string): ResultRecord | undefined => {
    const row = find.get(key)
    return row === undefined ? undefined : keptAt(decode(key, row), now())
  }

  const get = (ref: ExportRef): ResultRecord | undefined => {
    try {
      return held(keyOf(ref))
    } catch (error) {
      if (!isDamage(error)) throw error
      storeFailed('corrupt-record', error)
      return undefined
    }
  }

  const put = (...[ref, record]: Parameters<Results['put']>): ResultRecord => {
    const key = keyOf(ref)
    const kept = held(key)
    if (kept !== undefined && !prevails(record, kept)) return kept
    const rest = keptAt(record, now())
    if (rest !== undefined) keep(key, rest)
    return rest ?? record
  }

  const sweepSlice = (): boolean => {
    const time = now()
    const rows = due.all(time)
    for (const row of rows) {
      const key = String(row.export)
      const rest = keptAt(decode(key, row), time)
      if (rest === undefined) remove.run(key)
      else keep(key, rest)
    }
    return rows.length === SLICE
  }

  return {
    async get(ref) {
      return get(ref)
    },
    async getMany(refs) {
      return refs.map(get)
    },
    put: (ref, record) => commit(() => put(ref, record)),
    sweep() {
      try {
        return inTransaction(db, sweepSlice)
      } catch (error) {
        storeFailed('sweep', error)
        return false
      }
    },
  }
}
