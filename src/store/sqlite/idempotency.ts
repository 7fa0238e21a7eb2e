import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Begun, Idempotency, Observer } from '../../exports/ports.ts'
import {
  damagedWork,
  finished,
  givenUp,
  MAX_KEYS,
  mayBeSetFree,
  TooManyKeys,
  taken,
  toldOf,
  type Work,
  workAt,
} from '../work.ts'
import { isDamage } from './errors.ts'
import { DamagedRow, repairTable } from './repair.ts'
import { type Commits, inTransaction } from './transaction.ts'
import { decodeWork, encodeWork, remnantsOf } from './work-row.ts'

export interface SqliteIdempotencyOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** Called with `corrupt-record` for each damaged record, with `sweep` for a failed sweep. */
  readonly storeFailed: Observer['storeFailed']
  /** With more keys `begin` rejects. To drop a key before its time would allow a second start. */
  readonly maxKeys?: number | undefined
  readonly commit: Commits['commit']
}

export interface SqliteIdempotency extends Idempotency {
  /** Drops a slice of the keys whose time is over. True while more is left. Never throws. */
  sweep(): boolean
}

/** A slice of so many rows blocks the event loop for at most about 10 ms. */
const SLICE = 100

type Row = Record<string, SQLOutputValue>

/**
 * `Idempotency` in a table. The store reports a damaged record, and its key is `unknown` for 24 h
 * from then on, because the key was taken, whatever the record said. When SQLite cannot write, the
 * call rejects and changes nothing, so that nobody gets a key that is not on the disk. Keys are
 * lost only together with a file that had to be moved aside.
 */
export const createSqliteIdempotency = (
  db: DatabaseSync,
  { now, storeFailed, maxKeys = MAX_KEYS, commit }: SqliteIdempotencyOptions,
): SqliteIdempotency => {
  const remnants = (row: Row) => remnantsOf(row, now())
  const isSound = (row: Row) => decodeWork(row) !== undefined
  repairTable(db, { table: 'idempotency', isSound, remnantsOf: remnants }, storeFailed)

  const find = db.prepare('select * from idempotency where key = ?')
  const write = db.prepare(
    `insert into idempotency (key, copy, forget_at, record, answer, checksum)
     values (:key, :copy, :forget_at, :record, :answer, :checksum)
     on conflict do update set copy = excluded.copy, forget_at = excluded.forget_at,
       record = excluded.record, answer = excluded.answer, checksum = excluded.checksum`,
  )
  const remove = db.prepare('delete from idempotency where key = ?')
  const due = db.prepare(
    `select * from idempotency where forget_at <= ? order by forget_at limit ${SLICE}`,
  )
  const remembered = db.prepare('select count(*) as n from idempotency where forget_at > ?')

  /** Reads a row. A damaged row is replaced by what is left of it. */
  const sound = (row: Row): Work => {
    const work = decodeWork(row)
    if (work !== undefined) return work
    storeFailed('corrupt-record', new DamagedRow('idempotency'))
    for (const remnant of remnants(row)) write.run(remnant)
    return damagedWork(now())
  }

  const held = (key: string): Work | undefined => {
    const row = find.get(key)
    return row === undefined ? undefined : workAt(sound(row), now())
  }

  const change = (key: string, next: (work: Work) => Work): void => {
    const work = held(key)
    if (work !== undefined) write.run(encodeWork(key, next(work)))
  }

  const begin = (key: string, until: Parameters<Idempotency['begin']>[1]): Begun => {
    const work = held(key)
    if (work !== undefined) return toldOf(work, now())
    if (Number(remembered.get(now())?.n) >= maxKeys) throw new TooManyKeys(maxKeys)
    write.run(encodeWork(key, taken(until)))
    return { state: 'yours' }
  }

  const sweepSlice = (): boolean => {
    const time = now()
    const rows = due.all(time)
    for (const row of rows) {
      if (workAt(sound(row), time) === undefined) remove.run(String(row.key))
    }
    return rows.length === SLICE
  }

  const forget = (key: string): void => {
    const work = held(key)
    if (work !== undefined && mayBeSetFree(work)) remove.run(key)
  }

  return {
    async begin(key, until) {
      try {
        return await commit(() => begin(key, until))
      } catch (error) {
        if (!isDamage(error)) throw error
        storeFailed('corrupt-record', error)
        return { state: 'unknown' }
      }
    },
    finish: (key, answer) => commit(() => change(key, (work) => finished(work, answer))),
    giveUp: (key) => commit(() => change(key, givenUp)),
    forget: (key) => commit(() => forget(key)),
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
