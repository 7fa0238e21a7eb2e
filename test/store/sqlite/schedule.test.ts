import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { keyOf } from '../../../src/exports/export.ts'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { encodeRecord } from '../../../src/store/sqlite/record.ts'
import { createSqliteSchedule } from '../../../src/store/sqlite/schedule.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'
import { claimOne, idsOf, plan } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const onCorrupt = vi.fn<(movedTo: string) => void>()
  const options = { path, limits: LIMITS, visibilityMs: VISIBILITY_MS, onCorrupt }
  const open = () => closedAfterTest(createSqliteStore({ ...options, now: () => START }))
  return { path, onCorrupt, open }
}

describe('schedule of a sqlite store over restarts', () => {
  it('keeps what is tracked, and the claims that were not ended', async () => {
    const { open } = setUp()
    const first = open()
    await first.schedule.track(trackingOf('exp_A'))
    await first.schedule.track(trackingOf('exp_B', { dueAt: START + 1, origin: 'started' }))
    const claim = await claimOne(first.schedule, START)
    await first.close()

    const { schedule } = open()
    expect(await schedule.find(refOf('exp_B'))).toEqual(
      trackingOf('exp_B', { dueAt: START + 1, origin: 'started' }),
    )
    expect(await schedule.claim(START, 1)).toEqual({ claims: [], nextDueAt: START + 1 })
    expect(await schedule.reschedule(claim, plan)).toBe(true)
  })

  it('is added to a file of an older version, whose results are all kept', async () => {
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
    expect(await store.schedule.claim(START, 1)).toEqual({ claims: [], nextDueAt: undefined })
    await store.schedule.track(trackingOf('exp_A'))
    await store.close()
    expect(await open().schedule.find(ref)).toEqual(trackingOf('exp_A'))
  })
})

describe('failing sqlite schedule', () => {
  it('claims all or nothing', async () => {
    const { path } = setUp()
    const { db } = openSqliteFile({ path, maxBytes: 1_000_000, now: () => START })
    onTestFinished(() => db.close())
    const schedule = createSqliteSchedule(db, { visibilityMs: VISIBILITY_MS, storeFailed() {} })
    for (const id of ['exp_A', 'exp_B']) await schedule.track(trackingOf(id))
    db.exec(`create temp trigger broken before update on schedule
      when old.export like '%B' begin select raise(abort, 'out of order'); end`)
    await expect(schedule.claim(START, 10)).rejects.toThrow('out of order')
    await expect(schedule.watch([ref, refOf('exp_B')], START + 9, START)).rejects.toThrow()
    db.exec('drop trigger broken')
    expect(await schedule.find(ref)).toEqual(trackingOf('exp_A'))
    expect(idsOf((await schedule.claim(START, 10)).claims)).toEqual(['exp_A', 'exp_B'])
  })

  it('rejects a due time that is no time, and keeps nothing of it', async () => {
    const { open } = setUp()
    const { schedule } = open()
    for (const dueAt of [Number.NaN, Infinity]) {
      await expect(schedule.track(trackingOf('exp_A', { dueAt }))).rejects.toThrow()
    }
    expect(await schedule.find(ref)).toBeUndefined()
  })

  it('rejects once it is closed', async () => {
    const store = setUp().open()
    await store.close()
    await expect(store.schedule.claim(START, 1)).rejects.toThrow()
    await expect(store.schedule.track(trackingOf('exp_A'))).rejects.toThrow()
  })
})
