import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, LIMITS, refOf, START, VISIBILITY_MS } from '../records.ts'

const modeOf = (path: string): string => (statSync(path).mode & 0o7777).toString(8)

const open = (path: string, onOpenDirectory = (_: string) => {}) =>
  closedAfterTest(
    createSqliteStore({
      ...{ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => START },
      onOpenDirectory,
    }),
  )

describe('sqlite file', () => {
  let umask: number
  // With the loosest umask a file is private only when the store has made it so.
  beforeEach(() => {
    umask = process.umask(0)
  })
  afterEach(() => {
    process.umask(umask)
  })

  it('is readable by its owner alone, and so are its log and the directories made for it', async () => {
    const root = tempDirectory()
    const path = join(root, 'data', 'deep', 'gateway.sqlite')
    const store = open(path)
    await store.results.put(refOf('exp_A'), finalOf('private'))
    expect(modeOf(join(root, 'data'))).toBe('700')
    expect(modeOf(join(root, 'data', 'deep'))).toBe('700')
    const files = readdirSync(join(root, 'data', 'deep'))
    expect(files).toEqual(['gateway.sqlite', 'gateway.sqlite-wal'])
    for (const file of files) expect(modeOf(join(root, 'data', 'deep', file))).toBe('600')
  })

  it('keeps its records over a clean close, which leaves one file', async () => {
    const directory = tempDirectory()
    const path = join(directory, 'gateway.sqlite')
    const store = open(path)
    await store.results.put(refOf('exp_A'), finalOf('kept'))
    await store.close()
    expect(readdirSync(directory)).toEqual(['gateway.sqlite'])
    expect(await open(path).results.get(refOf('exp_A'))).toMatchObject({
      kind: 'final',
      snapshot: { version: 'v-kept' },
    })
  })

  it('rejects reads and writes once it is closed', async () => {
    const store = open(join(tempDirectory(), 'gateway.sqlite'))
    await store.close()
    await expect(store.results.get(refOf('exp_A'))).rejects.toThrow(/not open|finalized/)
    await expect(store.results.put(refOf('exp_A'), finalOf('late'))).rejects.toThrow()
  })

  it('is private in a directory that everybody may write to, and the operator is told', () => {
    // Regression: the emptyDir of Kubernetes was refused, with advice that its user cannot follow.
    const directory = join(tempDirectory(), 'open')
    mkdirSync(directory)
    chmodSync(directory, 0o777)
    const told: string[] = []
    open(join(directory, 'gateway.sqlite'), (open) => void told.push(open))
    expect(modeOf(join(directory, 'gateway.sqlite'))).toBe('600')
    expect(told).toEqual([directory])
  })

  it('is allowed in a directory like /tmp, where everybody writes but deletes only own files', () => {
    const directory = join(tempDirectory(), 'sticky')
    mkdirSync(directory)
    chmodSync(directory, 0o1777)
    expect(() => open(join(directory, 'gateway.sqlite'))).not.toThrow()
  })

  it('of a newer version is refused and left as it is', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    await open(path).close()
    const newer = new DatabaseSync(path)
    newer.exec('pragma user_version = 99')
    newer.close()
    const before = readFileSync(path)
    expect(() => open(path)).toThrow(/newer version \(schema 99/)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('of another program is refused and gets no table of the gateway', () => {
    const directory = tempDirectory()
    const path = join(directory, 'theirs.sqlite')
    const theirs = new DatabaseSync(path)
    theirs.exec('create table customers (id integer primary key)')
    theirs.close()
    expect(() => open(path)).toThrow(/another program/)
    const after = new DatabaseSync(path)
    expect(after.prepare('select name from sqlite_schema').all()).toHaveLength(1)
    after.close()
    expect(readdirSync(directory)).toEqual(['theirs.sqlite'])
  })

  it('that cannot be opened is refused with its path, and nothing is moved', () => {
    const directory = tempDirectory()
    mkdirSync(join(directory, 'gateway.sqlite'))
    expect(() => open(join(directory, 'gateway.sqlite'))).toThrow(/gateway\.sqlite cannot be used/)
    expect(readdirSync(directory)).toEqual(['gateway.sqlite'])
  })

  it('under a path that is no directory is refused by the system', () => {
    const directory = tempDirectory()
    writeFileSync(join(directory, 'file'), '')
    expect(() => open(join(directory, 'file', 'gateway.sqlite'))).toThrow(/ENOTDIR|EEXIST/)
  })

  it('that is empty is taken as new', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    writeFileSync(path, '')
    expect(await open(path).results.put(refOf('exp_A'), finalOf('a'))).toMatchObject({
      kind: 'final',
    })
  })
})
