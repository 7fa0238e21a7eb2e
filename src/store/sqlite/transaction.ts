import type { DatabaseSync } from 'node:sqlite'

/** Runs the work in one transaction: all of it is done or nothing, and SQLite flushes only once. */
export const inTransaction = <T>(db: DatabaseSync, work: () => T): T => {
  db.exec('begin immediate')
  try {
    const result = work()
    db.exec('commit')
    return result
  } catch (error) {
    // On a full disk SQLite has already rolled back by itself.
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}
