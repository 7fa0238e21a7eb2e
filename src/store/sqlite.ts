import { resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Budget, BudgetLimits, Observer, Store } from '../exports/ports.ts'
import { createSlidingWindow } from './sliding-window.ts'
import { openSqliteFile, type SqliteFile } from './sqlite-file.ts'
import { createSqliteResults } from './sqlite-results.ts'
import { startSweep } from './sweep.ts'

export interface SqliteStoreOptions {
  /** Absolute, or from the working directory. */
  readonly path: string
  readonly limits: BudgetLimits
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  /** Monotonic milliseconds, for the budget. */
  readonly monotonic?: () => number
  /** Bound of the file; over it, writes fail as on a full disk. Default 1 GiB. */
  readonly maxBytes?: number
  /** Default one minute. */
  readonly sweepIntervalMs?: number
  /** A damaged file was moved there and a new store begun. */
  readonly onCorrupt?: (movedTo: string) => void
  /** Told of what no call rejects for: operations `corrupt-record` and `sweep`. */
  readonly storeFailed?: Observer['storeFailed']
}

/**
 * The store in one file, of one process.
 *
 * @throws StoreInUse when another process holds the file
 * @throws StoreRefused when the file, or its directory, may not be used
 */
export const createSqliteStore = ({
  path,
  limits,
  now = Date.now,
  monotonic = () => performance.now(),
  maxBytes = 1024 ** 3,
  sweepIntervalMs = 60_000,
  onCorrupt,
  storeFailed = () => {},
}: SqliteStoreOptions): Store => {
  const file = openSqliteFile({ path: resolve(path), maxBytes, now, onCorrupt })
  const { db } = file
  const { sweep, ...results } = createSqliteResults(db, { now, storeFailed })
  const { budget, lastTake } = createSurvivingBudget(file, { limits, now, monotonic })
  const stopSweep = startSweep(sweep, sweepIntervalMs)

  return {
    results,
    budget,
    async healthy() {
      try {
        db.prepare('select 1 from results limit 1').get()
        return true
      } catch {
        return false
      }
    },
    async close() {
      if (!db.isOpen) return
      stopSweep()
      try {
        writeLastTake(db, lastTake())
      } finally {
        db.close()
      }
    },
  }
}

type BudgetClocks = Required<Pick<SqliteStoreOptions, 'limits' | 'now' | 'monotonic'>>

/** The sliding window, which does not forget over a restart what the process before it spent. */
const createSurvivingBudget = (
  { db, origin }: SqliteFile,
  { limits, now, monotonic }: BudgetClocks,
): { budget: Budget; lastTake: () => number } => {
  const openedAt = now()
  let last = lastTakeBefore(db, origin, openedAt)
  // One more: a wall clock tells whole milliseconds only.
  const quietMs = last + limits.windowMs - openedAt + 1
  const window = createSlidingWindow(limits, { now: monotonic, quietUntil: monotonic() + quietMs })
  return {
    budget: {
      async take(account) {
        const waitMs = await window.take(account)
        if (waitMs === 0) last = now()
        return waitMs
      },
    },
    lastTake: () => last,
  }
}

/** When a call may have left last, epoch milliseconds; 0 for never. */
const lastTakeBefore = (
  db: DatabaseSync,
  origin: SqliteFile['origin'],
  openedAt: number,
): number => {
  if (origin === 'new') return 0
  // A process that was killed wrote nothing down: it may have spent all of it a moment ago.
  if (origin === 'abandoned') return openedAt
  const noted = db.prepare(`select value from meta where name = 'last-take'`).get()?.value
  // Nothing noted, or a clock that was set back: as good as killed.
  return typeof noted === 'number' && noted <= openedAt ? noted : openedAt
}

/** Rejects the close on a full disk: then the next open may trust an older note. */
const writeLastTake = (db: DatabaseSync, at: number): void => {
  db.prepare(
    `insert into meta (name, value) values ('last-take', ?)
     on conflict do update set value = excluded.value`,
  ).run(at)
}
