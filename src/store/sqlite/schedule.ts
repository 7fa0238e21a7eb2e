import { randomUUID } from 'node:crypto'
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { keyOf } from '../../exports/export.ts'
import type { Observer } from '../../exports/ports.ts'
import type { Claim, Schedule } from '../../exports/schedule.ts'
import {
  claimed,
  deadlineOf,
  noted,
  rescheduled,
  type Tracked,
  watched,
  withoutToken,
} from '../tracked.ts'
import { decodeTracked, encodeTracked } from './record.ts'
import { DamagedRow, repairTable } from './repair.ts'
import { inTransaction } from './transaction.ts'

export interface SqliteScheduleOptions {
  /** How long a claimed export is not due again, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  /** Called with `corrupt-record` for each damaged row. */
  readonly storeFailed: Observer['storeFailed']
}

type Row = Record<string, SQLOutputValue>

/**
 * `Schedule` in a table. The store drops and reports a damaged row, and never claims it. The export
 * is tracked again when the next caller sees it pending. When SQLite cannot write, the call rejects
 * and changes nothing.
 */
export const createSqliteSchedule = (
  db: DatabaseSync,
  { visibilityMs, storeFailed }: SqliteScheduleOptions,
): Schedule => {
  const isSound = (row: Row) => decodeTracked(String(row.export), row) !== undefined
  repairTable(db, { table: 'schedule', isSound }, storeFailed)
  const find = db.prepare(
    'select due_at, deadline, record, checksum from schedule where export = ?',
  )
  const write = db.prepare(
    `insert into schedule (export, due_at, deadline, record, checksum) values (?, ?, ?, ?, ?)
     on conflict do update set due_at = excluded.due_at, deadline = excluded.deadline,
       record = excluded.record, checksum = excluded.checksum`,
  )
  const remove = db.prepare('delete from schedule where export = ?')
  // The query asks for keys only. So SQLite reads nothing but the index, however many are overdue.
  const due = db.prepare('select export from schedule where due_at <= ? order by deadline limit ?')
  const next = db.prepare('select min(due_at) as due_at from schedule')

  const keep = (key: string, tracked: Tracked): void => {
    const { record, checksum } = encodeTracked(key, tracked)
    write.run(key, tracked.dueAt, deadlineOf(tracked), record, checksum)
  }

  const held = (key: string): Tracked | undefined => {
    const row = find.get(key)
    if (row === undefined) return undefined
    const tracked = decodeTracked(key, row)
    if (tracked !== undefined) return tracked
    storeFailed('corrupt-record', new DamagedRow('schedule'))
    remove.run(key)
    return undefined
  }

  const claimAll = (keys: readonly string[], visibleAt: number): Claim[] =>
    keys.flatMap((key) => {
      const kept = held(key)
      if (kept === undefined) return []
      const { claim, rest } = claimed(kept, randomUUID(), visibleAt)
      keep(key, rest)
      return [claim]
    })

  // Operations on one row need no transaction: nothing else runs between the read and the write,
  // and no other process has the file.
  return {
    async track(tracking) {
      const key = keyOf(tracking.ref)
      keep(key, noted(tracking, held(key)))
    },
    async watch(refs, watchedUntil, dueBy) {
      inTransaction(db, () => {
        for (const key of refs.map(keyOf)) {
          const kept = held(key)
          if (kept !== undefined) keep(key, watched(kept, watchedUntil, dueBy))
        }
      })
    },
    async claim(now, limit) {
      // SQLite takes a negative limit for no limit.
      const keys = due.all(now, Math.max(0, limit)).map((row) => String(row.export))
      const claims = inTransaction(db, () => claimAll(keys, now + visibilityMs))
      const nextDueAt = next.get()?.due_at
      return { claims, nextDueAt: typeof nextDueAt === 'number' ? nextDueAt : undefined }
    },
    async reschedule({ ref, token }, plan) {
      const key = keyOf(ref)
      const kept = held(key)
      if (kept === undefined || kept.token !== token) return false
      keep(key, rescheduled(kept, plan))
      return true
    },
    async find(ref) {
      const kept = held(keyOf(ref))
      return kept === undefined ? undefined : withoutToken(kept)
    },
    async untrack(ref, token) {
      const key = keyOf(ref)
      if (token !== undefined && held(key)?.token !== token) return false
      return remove.run(key).changes > 0
    },
  }
}
