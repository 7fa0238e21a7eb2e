import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { keyOf } from '../../exports/export.ts'
import type { Observer } from '../../exports/ports.ts'
import type { Schedule } from '../../exports/schedule.ts'
import { createLocalSchedule, type Journal } from '../local-schedule.ts'
import { perAccount } from '../per-account.ts'
import { MAX_TRACKED, type Row, type ScheduleLimits } from '../tracked.ts'
import { decodeFollowed, encodeFollowed } from './record.ts'
import { repairTable } from './repair.ts'
import type { Commits } from './transaction.ts'

export interface SqliteScheduleOptions {
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  readonly limits?: Partial<ScheduleLimits> | undefined
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /**
   * Called with `corrupt-record` for each damaged row, with `schedule` when SQLite cannot write.
   */
  readonly storeFailed: Observer['storeFailed']
  readonly commit: Commits['commit']
}

export interface SqliteSchedules {
  /** The schedule of an account, always the same object for the same name. */
  of(account: string): Schedule
  /** Tries again to write what could not be written before. Never rejects. */
  writeAgain(): Promise<void>
  /** Whether everything is written down. */
  isComplete(): boolean
}

type DbRow = Record<string, SQLOutputValue>

/** Twice what a schedule holds. */
const MAX_UNWRITTEN = 2 * MAX_TRACKED

/**
 * A `Schedule` in memory for each account. One table holds the exports of all accounts that the
 * gateway must follow after a restart: those that were started through the gateway or seen pending.
 * After a restart all of them are due. The rows of an account that nobody asks for stay in the file.
 * When SQLite cannot write, the schedule goes on in memory, and writes the missing rows later. The
 * store drops and reports a damaged row.
 */
export const createSqliteSchedules = (
  db: DatabaseSync,
  { visibilityMs, limits, now, storeFailed, commit }: SqliteScheduleOptions,
): SqliteSchedules => {
  const isSound = (row: DbRow) => decodeFollowed(String(row.export), row) !== undefined
  repairTable(db, { table: 'followed', isSound }, storeFailed)
  const write = db.prepare(
    `insert into followed (export, record, checksum) values (?, ?, ?)
     on conflict do update set record = excluded.record, checksum = excluded.checksum`,
  )
  const remove = db.prepare('delete from followed where export = ?')

  /**
   * The rows that are not in the file yet. `undefined` stands for a row to remove from the file.
   */
  const unwritten = new Map<string, Row | undefined>()
  /**
   * The disk may be full for days. A removal that is forgotten costs one look after a restart.
   */
  const forget = (key: string): void => {
    if (unwritten.size < MAX_UNWRITTEN || unwritten.has(key)) unwritten.set(key, undefined)
  }

  const writeOne = (key: string, row: Row | undefined): void => {
    if (row === undefined) {
      remove.run(key)
      return
    }
    const { record, checksum } = encodeFollowed(key, row)
    write.run(key, record, checksum)
  }

  const writeAll = async (): Promise<void> => {
    try {
      const written = await commit(() => {
        writing = undefined
        for (const [key, row] of unwritten) writeOne(key, row)
        return [...unwritten]
      })
      // A row that has changed during the commit stays, and the next commit writes it.
      for (const [key, row] of written) if (unwritten.get(key) === row) unwritten.delete(key)
    } catch (error) {
      // When SQLite cannot even begin, the work above has not run.
      writing = undefined
      storeFailed('schedule', error)
    }
  }

  let writing: Promise<void> | undefined
  const writeAgain = async (): Promise<void> => {
    if (unwritten.size === 0) return
    // All changes of one turn of the event loop share one commit.
    writing ??= writeAll()
    await writing
  }

  const journal: Journal = {
    write: (rows, dropped) => {
      for (const row of rows) unwritten.set(keyOf(row.ref), row)
      for (const key of dropped) forget(key)
      return writeAgain()
    },
  }

  // An older version wrote down what was only watched, too.
  db.exec("delete from followed where json_extract(record, '$.origin') = 'watched'")
  const rows = Map.groupBy(followedBefore(db, now()), ({ ref }) => ref.account)
  const schedules = perAccount((account) => {
    const own = rows.get(account) ?? []
    rows.delete(account)
    return createLocalSchedule({ visibilityMs, limits, journal, rows: own })
  })
  return { of: schedules.of, writeAgain, isComplete: () => unwritten.size === 0 }
}

/** Returns the rows that were in the file when it was opened. All of them are due at once. */
const followedBefore = (db: DatabaseSync, dueAt: number): Row[] =>
  db
    .prepare('select export, record, checksum from followed')
    .all()
    .flatMap((row) => {
      const followed = decodeFollowed(String(row.export), row)
      // An older version also wrote exports that were only watched. The gateway forgets them.
      if (followed === undefined || followed.origin === 'watched') return []
      const plan = { dueAt, lookedAt: dueAt, intervalMs: 0, misses: 0, failures: 0, agedLooks: 0 }
      return [{ ...followed, ...plan }]
    })
