import { resolve } from 'node:path'
import type { Bounds } from '../../exports/bounds.ts'
import type { BudgetLimits, Observer, Store } from '../../exports/ports.ts'
import { createLocalUpdates } from '../local-updates.ts'
import { startSweep } from '../sweep.ts'
import type { ScheduleLimits } from '../tracked.ts'
import { createSurvivingBudget, writeLastTake } from './budget.ts'
import { openSqliteFile } from './file.ts'
import { createProbe } from './health.ts'
import { createSqliteIdempotency } from './idempotency.ts'
import { createSqliteResults } from './results.ts'
import { createRoom } from './room.ts'
import { createSqliteSchedules } from './schedule.ts'
import { createCommits } from './transaction.ts'
import { createPatientResults } from './unstored.ts'

/** How soon the store tries again to write what the disk did not take. */
const AGAIN_MS = 5_000

export interface SqliteStoreOptions {
  /** An absolute path, or one from the working directory. */
  readonly path: string
  readonly limits: BudgetLimits
  /** How long a claim on a tracked export holds, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  readonly scheduleLimits?: Partial<ScheduleLimits> | undefined
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  /** Monotonic milliseconds, for the budget. */
  readonly monotonic?: () => number
  /** The bound of the file. Over it, writes fail as on a full disk. Default 1 GiB. */
  readonly maxBytes?: number
  /** The bound of the idempotency keys. Over it, `begin` rejects. Default 20 000. */
  readonly maxKeys?: number
  /** Default one minute. */
  readonly sweepIntervalMs?: number
  /** Called when a damaged file was moved to `movedTo`. A new store begins. */
  readonly onCorrupt?: (movedTo: string) => void
  /** Called when everybody may write to the directory of the file. */
  readonly onOpenDirectory?: (directory: string) => void
  /** Called when more than nine tenths of the bound of the file are used. */
  readonly onNearlyFull?: (usedBytes: number, maxBytes: number) => void
  /**
   * Called for failures that reject no call: the operations `corrupt-record`, `sweep` and
   * `schedule`.
   */
  readonly storeFailed?: Observer['storeFailed']
  readonly bounds?: Bounds | undefined
}

/**
 * The store of one process, in one file.
 *
 * @throws StoreInUse when another process has the file open
 * @throws StoreRefused when the file, or its directory, may not be used
 */
export const createSqliteStore = ({
  path,
  limits,
  visibilityMs,
  scheduleLimits,
  now = Date.now,
  monotonic = () => performance.now(),
  maxBytes = 1024 ** 3,
  maxKeys,
  sweepIntervalMs = 60_000,
  onCorrupt,
  onOpenDirectory,
  onNearlyFull = () => {},
  storeFailed = () => {},
  bounds,
}: SqliteStoreOptions): Store => {
  const file = openSqliteFile({ path: resolve(path), now, onCorrupt, onOpenDirectory })
  const { db } = file
  const { commit, flush, isFailing } = createCommits(db)
  const writing = { now, storeFailed, commit }
  const room = createRoom(db, {
    ...{ maxBytes, bounds },
    onNearlyFull: (used) => onNearlyFull(used, maxBytes),
  })
  const { sweep: sweepResults, ...onDisk } = createSqliteResults(db, writing)
  const results = createPatientResults(onDisk, { ...writing, bounds })
  const { sweep: sweepKeys, ...idempotency } = createSqliteIdempotency(db, {
    ...writing,
    maxKeys,
  })
  const { budget, lastTake } = createSurvivingBudget(file, { limits, now, monotonic })
  const schedules = createSqliteSchedules(db, {
    ...writing,
    visibilityMs,
    limits: scheduleLimits,
  })
  // Both sweeps do a slice, and soon another one while either of them has more.
  const sweep = (): boolean => {
    const hasMore = room.withSpare(() => [sweepResults(), sweepKeys()].includes(true))
    room.check()
    return hasMore
  }
  const stopSweep = startSweep(sweep, sweepIntervalMs)
  const isComplete = () => results.isComplete() && schedules.isComplete()
  const writeAgain = async (): Promise<void> => {
    await results.writeAgain()
    await schedules.writeAgain()
  }
  const again = setInterval(
    () => {
      if (!isComplete()) void writeAgain()
    },
    Math.min(AGAIN_MS, sweepIntervalMs),
  ).unref()
  const probe = createProbe(db)

  return {
    idempotency,
    results,
    schedule: schedules.of,
    updates: createLocalUpdates(),
    budget,
    healthy: async () => db.isOpen && isComplete() && !isFailing() && probe(),
    async close() {
      if (!db.isOpen) return
      stopSweep()
      clearInterval(again)
      await Promise.all([writeAgain(), flush()])
      flush()
      try {
        writeLastTake(db, lastTake())
      } finally {
        db.close()
      }
    },
  }
}
