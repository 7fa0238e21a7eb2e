import type { DatabaseSync } from 'node:sqlite'
import type { Budget, BudgetLimits } from '../../exports/ports.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import type { SqliteFile } from './file.ts'

export interface SurvivingBudgetOptions {
  readonly limits: BudgetLimits
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** Monotonic milliseconds. */
  readonly monotonic: () => number
}

/**
 * The sliding window, which remembers over a restart what the last process has spent. A pause ends
 * with the process, because lemlist asks for it again at the first call.
 */
export const createSurvivingBudget = (
  { db, origin }: SqliteFile,
  { limits, now, monotonic }: SurvivingBudgetOptions,
): { budget: Budget; lastTake: () => number } => {
  const openedAt = now()
  let last = lastTakeBefore(db, origin, openedAt)
  // One millisecond is added because the wall clock has only whole milliseconds.
  const quietMs = last + limits.windowMs - openedAt + 1
  const window = createSlidingWindow(limits, { now: monotonic, quietUntil: monotonic() + quietMs })
  return {
    budget: {
      async take(account) {
        const waitMs = await window.take(account)
        if (waitMs === 0) last = now()
        return waitMs
      },
      pause: window.pause,
      pausedMs: window.pausedMs,
    },
    lastTake: () => last,
  }
}

/** Returns when the last call may have left, epoch milliseconds; 0 for never. */
const lastTakeBefore = (
  db: DatabaseSync,
  origin: SqliteFile['origin'],
  openedAt: number,
): number => {
  if (origin === 'new') return 0
  // A process that was killed has noted nothing. It may have spent the whole budget a moment ago.
  if (origin === 'abandoned') return openedAt
  const noted = db.prepare(`select value from meta where name = 'last-take'`).get()?.value
  // Without a note, or with one from the future (the clock was set back), the same holds.
  return typeof noted === 'number' && noted <= openedAt ? noted : openedAt
}

/** On a full disk this throws, and `close` rejects. The next open may then trust an older note. */
export const writeLastTake = (db: DatabaseSync, at: number): void => {
  db.prepare(
    `insert into meta (name, value) values ('last-take', ?)
     on conflict do update set value = excluded.value`,
  ).run(at)
}
