import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, LIMITS, refOf, START, VISIBILITY_MS } from '../records.ts'

const open = (path: string) =>
  closedAfterTest(
    createSqliteStore({ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => START }),
  )

/** All that a folder holds, byte for byte, with the times of the last change. */
const pictureOf = (directory: string) =>
  readdirSync(directory)
    .sort()
    .map((name) => {
      const file = join(directory, name)
      return [name, readFileSync(file).toString('hex'), statSync(file).mtimeMs] as const
    })

/** The database of another program, as that program left it when it was killed. */
const theirs = (sql: string): string => {
  const source = join(tempDirectory(), 'theirs.sqlite')
  const db = new DatabaseSync(source)
  onTestFinished(() => db.close())
  db.exec(sql)
  // The copy has the log or the journal, which the program would have removed when it closed the file.
  const directory = join(tempDirectory(), 'copy')
  mkdirSync(directory)
  for (const suffix of ['', '-wal', '-journal']) {
    try {
      copyFileSync(source + suffix, join(directory, `theirs.sqlite${suffix}`))
    } catch {
      // A database has one of the two, or none.
    }
  }
  return directory
}

const TABLE =
  "create table customers (id integer primary key, name text); insert into customers values (1, 'a');"

// Regression: the file was refused, but its journal mode was changed on the way.
describe('the database of another program', () => {
  it.each([
    ['in the journal mode of SQLite', TABLE],
    ['in a write-ahead log that is not in the file yet', `pragma journal_mode = wal; ${TABLE}`],
    [
      'with an id of its own and no table',
      'pragma application_id = 77; create table t (a); drop table t;',
    ],
    [
      'in the middle of a transaction, with a journal to roll back',
      `${TABLE} pragma cache_size = 1; begin;
       insert into customers with recursive n(i) as (select 2 union all select i + 1 from n where i < 200)
       select i, hex(randomblob(500)) from n;`,
    ],
  ])('%s is refused and not touched', (_, sql) => {
    const directory = theirs(sql)
    const before = pictureOf(directory)
    expect(before.length).toBeGreaterThan(0)
    expect(() => open(join(directory, 'theirs.sqlite'))).toThrow(/another program/)
    expect(pictureOf(directory)).toEqual(before)
  })

  it('that is open elsewhere is refused, and that program writes on', () => {
    const path = join(tempDirectory(), 'theirs.sqlite')
    const db = new DatabaseSync(path)
    onTestFinished(() => db.close())
    db.exec(`${TABLE} begin immediate; insert into customers values (2, 'b');`)
    expect(() => open(path)).toThrow(/another program/)
    db.exec('commit')
    expect(db.prepare('select count(*) as n from customers').get()).toMatchObject({ n: 2 })
  })
})

describe('a path that is no regular file', () => {
  it('is refused at once when it is a FIFO', () => {
    const path = join(tempDirectory(), 'fifo')
    expect(spawnSync('mkfifo', [path]).status).toBe(0)
    expect(() => open(path)).toThrow(/no regular file/)
  })
})

describe('a file of a newer version', () => {
  it('is refused and not touched, its log included', async () => {
    const source = join(tempDirectory(), 'gateway.sqlite')
    await open(source).close()
    const newer = new DatabaseSync(source)
    onTestFinished(() => newer.close())
    newer.exec('pragma user_version = 99; pragma wal_checkpoint; create table later (a)')
    const directory = join(tempDirectory(), 'copy')
    mkdirSync(directory)
    for (const suffix of ['', '-wal']) {
      copyFileSync(source + suffix, join(directory, `gateway.sqlite${suffix}`))
    }
    const before = pictureOf(directory)
    expect(before).toHaveLength(2)
    expect(() => open(join(directory, 'gateway.sqlite'))).toThrow(/newer version \(schema 99/)
    expect(pictureOf(directory)).toEqual(before)
  })
})

describe('a file of the gateway', () => {
  it('whose process was killed before anything but the log said so is opened', async () => {
    const source = join(tempDirectory(), 'gateway.sqlite')
    const store = open(source)
    await store.results.put(refOf('exp_A'), finalOf('kept'))
    const directory = join(tempDirectory(), 'copy')
    mkdirSync(directory)
    for (const suffix of ['', '-wal']) {
      copyFileSync(source + suffix, join(directory, `gateway.sqlite${suffix}`))
    }
    const kept = await open(join(directory, 'gateway.sqlite')).results.get(refOf('exp_A'))
    expect(kept).toMatchObject({ kind: 'final' })
  })
})
