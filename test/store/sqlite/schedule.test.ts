import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { keyOf } from '../../../src/exports/export.ts'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { checksumOf, encodeRecord } from '../../../src/store/sqlite/record.ts'
import { createSqliteSchedules } from '../../../src/store/sqlite/schedule.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { createCommits } from '../../../src/store/sqlite/transaction.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'
import { claimOne, findOne, idsOf, plan, roomFor, watchAll } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const options = { path, limits: LIMITS, visibilityMs: VISIBILITY_MS, onCorrupt }
  const open = (now = START) => closedAfterTest(createSqliteStore({ ...options, now: () => now }))
  return { path, onCorrupt, open }
}

describe('schedule of a sqlite store over restarts', () => {
  it('still follows started and confirmed exports, which are all due at once', async () => {
    const { open } = setUp()
    const first = open()
    await first
      .schedule('default')
      .track([
        trackingOf('exp_A', { firstSeenAt: START - HOUR, misses: 2 }),
        trackingOf('exp_B', { dueAt: START + HOUR, origin: 'started' }),
      ])
    await claimOne(first.schedule('default'), START)
    await first.close()

    const now = START + 7000
    const schedule = open(now).schedule('default')
    expect(await findOne(schedule, 'exp_B')).toMatchObject({
      origin: 'started',
      firstSeenAt: START,
    })
    const { claims } = await schedule.claim(now, roomFor(5))
    expect(idsOf(claims).sort()).toEqual(['exp_A', 'exp_B'])
    expect(claims[0]).toMatchObject({ dueAt: now, misses: 0, watched: false, callClass: 'idle' })
  })

  it('gives each account its own exports back, even after a run without that account', async () => {
    const { open } = setUp()
    const first = open()
    const ofSales = trackingOf('exp_A', { ref: refOf('exp_A', 'sales') })
    await first.schedule('sales').track([ofSales])
    await first.schedule('default').track([trackingOf('exp_B')])
    await first.close()
    const second = open()
    expect(idsOf((await second.schedule('default').claim(START, roomFor(5))).claims)).toEqual([
      'exp_B',
    ])
    await second.close()
    const third = open()
    expect(idsOf((await third.schedule('sales').claim(START, roomFor(5))).claims)).toEqual([
      'exp_A',
    ])
  })

  it('forgets who watched, and the exports that were only watched', async () => {
    const { open } = setUp()
    const first = open()
    await first.schedule('default').track([trackingOf('exp_A')])
    await first.schedule('default').adopt([trackingOf('exp_B', { origin: 'watched' })])
    await watchAll(first.schedule('default'), ['exp_A', 'exp_B'])
    await first.close()
    const schedule = open().schedule('default')
    expect(await findOne(schedule, 'exp_A')).toMatchObject({ watched: false })
    expect(await findOne(schedule, 'exp_B')).toBeUndefined()
  })

  it('remembers which exports lemlist has confirmed and which are over', async () => {
    const { open } = setUp()
    const first = open()
    await first.schedule('default').adopt([trackingOf('exp_A', { origin: 'watched' })])
    await first
      .schedule('default')
      .reschedule(await claimOne(first.schedule('default'), START), plan)
    await first.schedule('default').track([trackingOf('exp_B'), trackingOf('exp_C')])
    await first.schedule('default').untrack(refOf('exp_B'))
    await first.close()
    const schedule = open().schedule('default')
    const found = await schedule.find(['exp_A', 'exp_B', 'exp_C'].map((id) => refOf(id)))
    expect(found.map((one) => one?.origin)).toEqual(['pending', undefined, 'pending'])
  })

  it('is added to a file of version 1, whose results are all kept', async () => {
    const { path, onCorrupt, open } = setUp()
    // This is word for word what version 1 wrote. The step of its migration must never change.
    const first = new DatabaseSync(path)
    first.exec(`create table results (
    export text primary key,
    due_at integer not null,
    record text not null,
    body blob,
    checksum blob not null
  ) strict, without rowid;
  create index results_due on results (due_at);
  create table meta (name text primary key, value integer not null) strict, without rowid;
  insert into meta values ('last-take', ${START - 500});
  pragma application_id = 1818586471;
  pragma user_version = 1;`)
    const { record, body, checksum } = encodeRecord(keyOf(ref), finalOf('of old'))
    first
      .prepare('insert into results values (?, ?, ?, ?, ?)')
      .run(keyOf(ref), finalOf('').snapshot.endOfLife, record, body, checksum)
    first.close()

    const store = open()
    expect(onCorrupt).not.toHaveBeenCalled()
    expect(await store.results.get(ref)).toMatchObject({ snapshot: { version: 'v-of_old' } })
    expect(await store.budget.take('default')).toBeLessThan(LIMITS.windowMs)
    const nothing = { claims: [], nextDueAt: undefined }
    expect(await store.schedule('default').claim(START, roomFor(1))).toEqual(nothing)
    await store.schedule('default').track([trackingOf('exp_A')])
    await store.close()
    expect(await findOne(open().schedule('default'), 'exp_A')).toMatchObject({ origin: 'pending' })
  })

  it('takes over the rows of version 3, except of exports that were only watched', async () => {
    const { path, onCorrupt, open } = setUp()
    const older = closedAfterTest(
      createSqliteStore({ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => START }),
    )
    await older.close()
    const db = new DatabaseSync(path)
    // This is word for word what version 3 wrote.
    db.exec(`drop index results_campaign;
  alter table results drop column campaign;
  alter table results drop column first_seen_at;
  drop table followed; create table schedule (
    export text primary key,
    due_at integer not null,
    deadline integer not null,
    record text not null,
    checksum blob not null
  ) strict, without rowid;
  create index schedule_due on schedule (due_at, deadline);
  pragma user_version = 3;`)
    const insert = db.prepare('insert into schedule values (?, ?, ?, ?, ?)')
    for (const [id, origin] of [
      ['exp_A', 'pending'],
      ['exp_B', 'watched'],
      ['exp_C', 'started'],
    ] as const) {
      const { agedLooks: _, ...row } = trackingOf(id, { origin })
      const record = JSON.stringify({ ...row, watchedUntil: START + 9, token: 'a claim' })
      const checksum = checksumOf(keyOf(refOf(id)), record, null)
      insert.run(keyOf(refOf(id)), START, START + 60_000, record, checksum)
    }
    db.close()

    const store = open()
    expect(onCorrupt).not.toHaveBeenCalled()
    const { claims } = await store.schedule('default').claim(START, roomFor(5))
    expect(idsOf(claims).sort()).toEqual(['exp_A', 'exp_C'])
    await store.close()
    // Regression: the file kept the rows of what was only watched for ever.
    const file = new DatabaseSync(path)
    expect(file.prepare('select export from followed').all()).toHaveLength(2)
    file.close()
  })

  it('stays in its file when the operator has added a table or an index', async () => {
    // Regression: after `analyze` on the file the next start moved it aside and began an empty store.
    const { path, onCorrupt, open } = setUp()
    const first = open()
    await first.results.put(ref, finalOf('kept'))
    await first.close()
    const db = new DatabaseSync(path)
    db.exec('analyze; create index of_the_operator on results (record)')
    db.close()
    expect(await open().results.get(ref)).toMatchObject({ kind: 'final' })
    expect(onCorrupt).not.toHaveBeenCalled()
  })
})

describe('sqlite schedule', () => {
  const openSchedule = () => {
    const { path } = setUp()
    const { db } = openSqliteFile({ path, now: () => START })
    onTestFinished(() => db.close())
    const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
    const { commit } = createCommits(db)
    const options = { visibilityMs: VISIBILITY_MS, now: () => START, storeFailed, commit }
    const schedules = createSqliteSchedules(db, options)
    const schedule = schedules.of('default')
    const written = () => db.prepare('select export from followed').all().length
    return { db, schedule, schedules, storeFailed, written }
  }

  it('writes nothing to the file for looks, claims and watchers', async () => {
    // Regression: for 500 watched exports the store wrote 28 MB to the disk in a minute.
    const { db, schedule } = openSchedule()
    const ids = Array.from({ length: 20 }, (_, n) => `exp_${n}`)
    await schedule.track(ids.map((id) => trackingOf(id)))
    const changes = () => Number(db.prepare('select total_changes() as n').get()?.n)
    const before = changes()
    await watchAll(schedule, ids, START)
    await schedule.adopt([trackingOf('exp_unknown', { origin: 'watched' })])
    for (const claim of (await schedule.claim(START, roomFor(100))).claims) {
      await schedule.reschedule(claim, { ...claim, dueAt: START + 5 })
    }
    await schedule.track(ids.map((id) => trackingOf(id, { dueAt: START + 9 })))
    await schedule.renew(() => ids.map((id) => refOf(id)))
    await schedule.unwatch(ids.map((id) => refOf(id)))
    expect(changes()).toBe(before)
  })

  it('goes on when SQLite cannot write, and writes the rows later', async () => {
    const { db, schedule, schedules, storeFailed, written } = openSchedule()
    db.exec(`create temp trigger full before insert on followed
      begin select raise(abort, 'the disk is full'); end`)
    expect(await schedule.track([trackingOf('exp_A'), trackingOf('exp_B')])).toEqual([])
    expect(await findOne(schedule, 'exp_A')).toBeDefined()
    expect(storeFailed.mock.calls.map(([operation]) => operation)).toEqual(['schedule'])
    await schedule.untrack(ref)
    db.exec('drop trigger full')
    await schedules.writeAgain()
    expect(written()).toBe(1)
  })

  it('writes again after a transaction that SQLite could not begin', async () => {
    // Regression: the schedule wrote nothing until the next start, and what began meanwhile was lost.
    const { db, schedule, storeFailed, written } = openSchedule()
    db.exec('begin')
    expect(await schedule.track([trackingOf('exp_A')])).toEqual([])
    expect(storeFailed.mock.calls.map(([operation]) => operation)).toEqual(['schedule'])
    db.exec('rollback')
    await schedule.track([trackingOf('exp_B')])
    expect(written()).toBe(2)
  })
})
