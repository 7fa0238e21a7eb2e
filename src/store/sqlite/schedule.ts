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
  /** How long a claim keeps an export from being due, milliseconds: longer than any look takes. */
  readonly visibilityMs: number
  /** Told `corrupt-record` for every row that is damaged. */
  readonly storeFailed: Observer['storeFailed']
}

type Row = Record<string, SQLOutputValue>

/**
 * `Schedule` in a table. A damaged row is dropped and counted, never claimed: the next caller who
 * sees its export pending tracks it anew. When SQLite cannot write, the call rejects and nothing of
 * it has happened.
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
  // Keys only: the index alone answers, however many are overdue.
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

  // Where one row is read and written there is no transaction: nothing else runs between the look
  // and the write, and only we have the file.
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
      // Below 0 SQLite would take it for no limit.
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
