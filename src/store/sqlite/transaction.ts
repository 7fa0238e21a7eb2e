import { performance } from 'node:perf_hooks'
import type { DatabaseSync } from 'node:sqlite'
import { cannotWrite } from './errors.ts'

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

/** Makes one transaction of all writes of one turn of the event loop. */
export interface Commits {
  /**
   * Runs the work at the end of this turn of the event loop. Resolves to the result of the work
   * once its writes are on the disk. Rejects when the work throws or SQLite cannot write. Then
   * nothing of the work is kept.
   */
  commit<T>(work: () => T): Promise<T>
  /** Runs and commits at once all work that waits. */
  flush(): void
  /** Whether the last write failed, and did so in the last minute. */
  isFailing(): boolean
}

/** A refused write tells nothing about the disk any more after this time. */
const FAILING_MS = 60_000

/**
 * Work that waits for the transaction. `run` does the work in the open transaction. It returns a
 * function that settles the promise of the caller, to be called after the commit.
 */
type Waiting = { readonly run: () => () => void; readonly fail: (error: unknown) => void }

/**
 * Writes share a transaction because each transaction flushes the disk. A flush of a slow disk
 * takes several milliseconds, in which the process does nothing else. When sixteen answers of
 * lemlist arrive together, sixteen flushes would stop the process for a tenth of a second.
 */
export const createCommits = (db: DatabaseSync): Commits => {
  let waiting: Waiting[] = []
  let failedAt = Number.NEGATIVE_INFINITY

  const notice = (error: unknown): void => {
    if (cannotWrite(error)) failedAt = performance.now()
  }

  const flush = (): void => {
    const works = waiting
    waiting = []
    if (works.length === 0) return
    try {
      const outcomes = inTransaction(db, () => works.map(({ run }) => run()))
      for (const tell of outcomes) tell()
    } catch (error) {
      notice(error)
      for (const { fail } of works) fail(error)
    }
  }

  const commit = <T>(work: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const run = (): (() => void) => {
        db.exec('savepoint work')
        try {
          const result = work()
          db.exec('release work')
          return () => {
            failedAt = Number.NEGATIVE_INFINITY
            resolve(result)
          }
        } catch (error) {
          // On a full disk SQLite has rolled back the whole transaction. Then all work of this turn
          // fails.
          if (!db.isTransaction) throw error
          db.exec('rollback to work; release work')
          return () => {
            notice(error)
            reject(error)
          }
        }
      }
      if (waiting.push({ run, fail: reject }) === 1) setImmediate(flush)
    })

  return { commit, flush, isFailing: () => performance.now() - failedAt < FAILING_MS }
}
