import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createCommits } from '../../../src/store/sqlite/transaction.ts'

describe('the commits of SQLite', () => {
  const setUp = () => {
    const db = new DatabaseSync(':memory:')
    onTestFinished(() => db.close())
    db.exec('create table numbers (n integer primary key) strict')
    const exec = vi.spyOn(db, 'exec')
    const insert = db.prepare('insert into numbers values (?)')
    return {
      db,
      ...createCommits(db),
      write: (n: number) => insert.run(n).changes,
      written: () =>
        db
          .prepare('select n from numbers')
          .all()
          .map(({ n }) => n),
      commits: () => exec.mock.calls.filter(([sql]) => sql === 'commit').length,
    }
  }

  it('put all writes of one turn of the event loop on the disk with one flush', async () => {
    // Regression: 16 answers at once stopped the process for 16 flushes of a slow disk.
    const { commit, write, written, commits } = setUp()
    await Promise.all(Array.from({ length: 16 }, (_, n) => commit(() => write(n))))
    expect(written()).toHaveLength(16)
    expect(commits()).toBe(1)
    await commit(() => write(16))
    expect(commits()).toBe(2)
  })

  it('keep the other writes when one fails', async () => {
    const { commit, write, written } = setUp()
    const outcomes = await Promise.allSettled([1, 1, 2].map((n) => commit(() => write(n))))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(written()).toEqual([1, 2])
  })

  it('keep nothing of work that wrote before it failed', async () => {
    const { commit, write, written } = setUp()
    const work = commit(() => {
      write(1)
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    expect(written()).toEqual([])
  })

  it('reject all work of the turn when the transaction is lost', async () => {
    const { db, commit, write, written } = setUp()
    const works = [
      commit(() => write(1)),
      // On a full disk SQLite rolls back by itself.
      commit(() => {
        db.exec('rollback')
        throw new Error('disk full')
      }),
      commit(() => write(2)),
    ]
    for (const { status } of await Promise.allSettled(works)) expect(status).toBe('rejected')
    expect(written()).toEqual([])
    await commit(() => write(3))
    expect(written()).toEqual([3])
  })

  it('happen at once when `flush` is called', () => {
    const { commit, flush, write, written } = setUp()
    void commit(() => write(1))
    expect(written()).toEqual([])
    flush()
    expect(written()).toEqual([1])
  })
})
