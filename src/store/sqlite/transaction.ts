import type { DatabaseSync } from 'node:sqlite'

/** All of it or nothing, and one flush for all of it. */
export const inTransaction = <T>(db: DatabaseSync, work: () => T): T => {
  db.exec('begin immediate')
  try {
    const result = work()
    db.exec('commit')
    return result
  } catch (error) {
    // On a full disk SQLite has already rolled back.
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}
