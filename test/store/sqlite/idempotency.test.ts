import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { keyOf } from '../../../src/exports/export.ts'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { createSqliteIdempotency } from '../../../src/store/sqlite/idempotency.ts'
import { checksumOf, encodeRecord } from '../../../src/store/sqlite/record.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { createCommits } from '../../../src/store/sqlite/transaction.ts'
import { closedAfterTest, createClock, tempDirectory } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'

const MINUTE = 60_000
const until = { inProgressUntil: START + MINUTE, forgetAt: START + 24 * HOUR }
const answer = Buffer.from('{"_id":"exp_secret"}')
const ref = refOf('exp_A')

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const clock = createClock()
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
  const options = { path, limits: LIMITS, visibilityMs: VISIBILITY_MS, onCorrupt, storeFailed }
  const open = (given: { maxKeys?: number; maxBytes?: number } = {}) =>
    closedAfterTest(createSqliteStore({ ...options, ...given, now: clock.now }))
  /** Opens only this port, on a database that the test can use as well. */
  const openFile = () => {
    const { db } = openSqliteFile({ path, now: clock.now })
    onTestFinished(() => db.close())
    return {
      db,
      idempotency: createSqliteIdempotency(db, {
        now: clock.now,
        storeFailed,
        ...createCommits(db),
      }),
    }
  }
  return { path, clock, onCorrupt, storeFailed, open, openFile }
}

describe('idempotency keys of a sqlite store over restarts', () => {
  it('keep their states', async () => {
    const { open } = setUp()
    const first = open()
    for (const key of ['begun', 'given up', 'finished', 'free']) {
      await first.idempotency.begin(key, until)
    }
    await first.idempotency.giveUp('given up')
    await first.idempotency.finish('finished', answer)
    await first.idempotency.forget('free')
    await first.close()

    const { idempotency } = open()
    expect(await idempotency.begin('begun', until)).toEqual({ state: 'in-progress' })
    expect(await idempotency.begin('given up', until)).toEqual({ state: 'unknown' })
    expect(await idempotency.begin('finished', until)).toMatchObject({ state: 'finished' })
    expect(await idempotency.begin('free', until)).toEqual({ state: 'yours' })
  })

  it('are unknown when their time is out, and forgotten at the time set before the restart', async () => {
    const { open, clock } = setUp()
    const first = open()
    await first.idempotency.begin('key', until)
    await first.close()
    clock.advance(MINUTE)
    const second = open()
    expect(await second.idempotency.begin('key', until)).toEqual({ state: 'unknown' })
    await second.close()
    clock.advance(24 * HOUR - MINUTE)
    expect(await open().idempotency.begin('key', until)).toEqual({ state: 'yours' })
  })

  it('count towards the maximum number of keys', async () => {
    const { open } = setUp()
    const first = open()
    for (const key of ['A', 'B']) await first.idempotency.begin(key, until)
    await first.close()
    const { idempotency } = open({ maxKeys: 2 })
    await expect(idempotency.begin('C', until)).rejects.toThrow(/remembers 2/)
    expect(await idempotency.begin('A', until)).toEqual({ state: 'in-progress' })
  })

  it('are added to a file of an older version, whose records are all kept', async () => {
    const { path, onCorrupt, storeFailed, open } = setUp()
    // This is word for word what version 2 wrote. The steps of its migration must never change.
    const second = new DatabaseSync(path)
    second.exec(`create table results (
    export text primary key,
    due_at integer not null,
    record text not null,
    body blob,
    checksum blob not null
  ) strict, without rowid;
  create index results_due on results (due_at);
  create table meta (name text primary key, value integer not null) strict, without rowid;
  create table schedule (
    export text primary key,
    due_at integer not null,
    deadline integer not null,
    record text not null,
    checksum blob not null
  ) strict, without rowid;
  create index schedule_due on schedule (due_at, deadline);
  insert into meta values ('last-take', ${START - 500});
  pragma application_id = 1818586471;
  pragma user_version = 2;`)
    const final = encodeRecord(keyOf(ref), finalOf('of old'))
    second
      .prepare('insert into results values (?, ?, ?, ?, ?)')
      .run(keyOf(ref), START + 24 * HOUR, final.record, final.body, final.checksum)
    const record = JSON.stringify({ ...trackingOf('exp_A'), watchedUntil: 0 })
    const tracked = { record, checksum: checksumOf(keyOf(ref), record, null) }
    second
      .prepare('insert into schedule values (?, ?, ?, ?, ?)')
      .run(keyOf(ref), START, START + MINUTE, tracked.record, tracked.checksum)
    second.close()

    const store = open()
    expect(onCorrupt).not.toHaveBeenCalled()
    expect(storeFailed).not.toHaveBeenCalled()
    expect(await store.results.get(ref)).toMatchObject({ snapshot: { version: 'v-of_old' } })
    expect((await store.schedule('default').find([ref]))[0]).toMatchObject({ origin: 'pending' })
    expect(await store.idempotency.begin('key', until)).toEqual({ state: 'yours' })
    await store.close()
    expect(await open().idempotency.begin('key', until)).toEqual({ state: 'in-progress' })
  })
})

describe('sweep of the idempotency keys of a sqlite store', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** How many keys are in the file. The store must be closed. */
  const countIn = (path: string) => {
    const db = new DatabaseSync(path)
    const row = db.prepare('select count(*) as n from idempotency').get()
    db.close()
    return row?.n
  }

  it('deletes keys whose time is over, with their answers in the file, and leaves the others', async () => {
    const { path, clock, open } = setUp()
    const store = open()
    await store.idempotency.begin('old', until)
    await store.idempotency.finish('old', answer)
    await store.idempotency.begin('young', { ...until, forgetAt: until.forgetAt + 1 })
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    await store.close()
    expect(countIn(path)).toBe(1)
    expect(readFileSync(path).includes('exp_secret')).toBe(false)
  })

  it.each([
    ['takes one slice at a time', 0, 50],
    ['goes on after 50 ms while more keys are left', 50, 0],
  ])('%s', async (_, pauseMs, left) => {
    const { path, clock, open } = setUp()
    const store = open()
    for (let n = 0; n < 150; n++) await store.idempotency.begin(`key_${n}`, until)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    vi.advanceTimersByTime(pauseMs)
    await store.close()
    expect(countIn(path)).toBe(left)
  })

  it('that fails is undone, reported and tried again', async () => {
    const { clock, storeFailed, openFile } = setUp()
    const { db, idempotency } = openFile()
    for (const key of ['A', 'B']) await idempotency.begin(key, until)
    db.exec(`create temp trigger broken before delete on idempotency
      when old.key = 'B' begin select raise(abort, 'out of order'); end`)
    const count = () => db.prepare('select count(*) as n from idempotency').get()?.n
    clock.advance(24 * HOUR)
    expect(idempotency.sweep()).toBe(false)
    expect(storeFailed).toHaveBeenCalledExactlyOnceWith(
      'sweep',
      expect.objectContaining({ message: expect.stringContaining('out of order') }),
    )
    expect(count()).toBe(2)
    db.exec('drop trigger broken')
    idempotency.sweep()
    expect(count()).toBe(0)
  })
})

describe('failing sqlite idempotency', () => {
  it('gives out no key that it could not write down', async () => {
    const { openFile, storeFailed } = setUp()
    const { db, idempotency } = openFile()
    db.exec(`create temp trigger broken before insert on idempotency
      begin select raise(abort, 'out of order'); end`)
    await expect(idempotency.begin('key', until)).rejects.toThrow('out of order')
    db.exec('drop trigger broken')
    expect(storeFailed).not.toHaveBeenCalled()
    expect(await idempotency.begin('key', until)).toEqual({ state: 'yours' })
  })

  it('rejects new keys in a full file and still tells the state of the others', async () => {
    const { open } = setUp()
    const { idempotency } = open({ maxBytes: 200_000 })
    let begun = 0
    const fill = async () => {
      for (; begun < 5000; begun++) await idempotency.begin(`key_${begun}`, until)
    }
    await expect(fill()).rejects.toThrow(/full/)
    expect(begun).toBeGreaterThan(100)
    for (const n of [0, begun - 1]) {
      expect(await idempotency.begin(`key_${n}`, until)).toEqual({ state: 'in-progress' })
    }
  })

  it('rejects once it is closed', async () => {
    const store = setUp().open()
    await store.close()
    await expect(store.idempotency.begin('key', until)).rejects.toThrow()
    await expect(store.idempotency.finish('key', answer)).rejects.toThrow()
  })
})
