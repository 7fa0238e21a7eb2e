import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { createSqliteResults } from '../../../src/store/sqlite/results.ts'
import { createSqliteStore, type SqliteStoreOptions } from '../../../src/store/sqlite/store.ts'
import { createCommits } from '../../../src/store/sqlite/transaction.ts'
import { closedAfterTest, createClock, tempDirectory } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, timedOut, VISIBILITY_MS } from '../records.ts'

const MINUTE = 60_000

const setUp = (options: Partial<Pick<SqliteStoreOptions, 'maxBytes' | 'onNearlyFull'>> = {}) => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const clock = createClock()
  const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
  const store = closedAfterTest(
    createSqliteStore({
      path,
      limits: LIMITS,
      visibilityMs: VISIBILITY_MS,
      now: clock.now,
      storeFailed,
      ...options,
    }),
  )
  /** Closes the store and returns the rows in its file. */
  const rows = async () => {
    await store.close()
    const db = new DatabaseSync(path)
    const all = db.prepare('select record, body from results').all()
    db.close()
    return all
  }
  return { path, clock, store, storeFailed, rows }
}

describe('sweep of the sqlite store', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('drops the bytes of a record at its end of life, from the file too, and keeps the rest', async () => {
    const { path, clock, store, rows } = setUp()
    await store.results.put(refOf('exp_A'), finalOf('a private link'.repeat(700)))
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    expect(await store.results.get(refOf('exp_A'))).toMatchObject({ kind: 'expired' })
    const [row] = await rows()
    expect(row).toMatchObject({ body: null })
    expect(row?.record).toContain('"expired"')
    expect(readFileSync(path).includes('a private link')).toBe(false)
  })

  it('deletes records whose time is over and leaves the others', async () => {
    const { clock, store, rows } = setUp()
    const final = finalOf('young')
    const young = { ...final, snapshot: { ...final.snapshot, endOfLife: final.forgetAt - 1 } }
    await store.results.put(refOf('exp_A'), timedOut)
    await store.results.put(refOf('exp_B'), young)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    expect(await rows()).toHaveLength(1)
  })

  it('works in slices and goes on after 50 ms while more records are left', async () => {
    const { clock, store, rows } = setUp()
    for (let n = 0; n < 150; n++) await store.results.put(refOf(`exp_${n}`), timedOut)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    vi.advanceTimersByTime(50)
    expect(await rows()).toHaveLength(0)
  })

  it('takes one slice at a time', async () => {
    const { clock, store, rows } = setUp()
    for (let n = 0; n < 150; n++) await store.results.put(refOf(`exp_${n}`), timedOut)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    expect(await rows()).toHaveLength(50)
  })

  it('deletes and counts a damaged record', async () => {
    const { path, clock, store } = setUp()
    await store.results.put(refOf('exp_A'), timedOut)
    await store.close()
    const db = new DatabaseSync(path)
    db.exec(`update results set record = replace(record, 'timed-out', 'timed-oat'), due_at = 0`)
    db.close()
    const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
    const again = createSqliteStore({
      path,
      limits: LIMITS,
      visibilityMs: VISIBILITY_MS,
      now: clock.now,
      storeFailed,
    })
    vi.advanceTimersByTime(2 * MINUTE)
    await again.close()
    expect(storeFailed.mock.calls.map(([operation]) => operation)).toEqual(['corrupt-record'])
  })

  it('that fails is undone, reported and tried again', async () => {
    const { path, clock, store } = setUp()
    await store.results.put(refOf('exp_A'), timedOut)
    await store.results.put(refOf('exp_B'), timedOut)
    await store.close()
    const storeFailed = vi.fn<(operation: string, error: unknown) => void>()
    const { db } = openSqliteFile({ path, now: clock.now })
    onTestFinished(() => db.close())
    const results = createSqliteResults(db, { now: clock.now, storeFailed, ...createCommits(db) })
    db.exec(`create temp trigger broken before delete on results
      when old.export like '%B' begin select raise(abort, 'out of order'); end`)
    const count = () => db.prepare('select count(*) as n from results').get()?.n

    clock.advance(24 * HOUR)
    expect(results.sweep()).toBe(false)
    expect(storeFailed).toHaveBeenCalledExactlyOnceWith(
      'sweep',
      expect.objectContaining({ message: expect.stringContaining('out of order') }),
    )
    expect(count()).toBe(2)
    db.exec('drop trigger broken')
    results.sweep()
    expect(count()).toBe(0)
  })

  it('stops with the store', async () => {
    const { store } = setUp()
    expect(vi.getTimerCount()).toBe(1)
    await store.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('full sqlite store', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('rejects writes, still reads, and takes writes again when there is room', async () => {
    const { store, clock } = setUp({ maxBytes: 200_000 })
    const large = finalOf('z'.repeat(8000))
    let kept = 0
    const fill = async () => {
      for (; kept < 1000; kept++) await store.results.put(refOf(`exp_${kept}`), large)
    }
    await expect(fill()).rejects.toThrow(/full/)
    expect(kept).toBeGreaterThan(5)
    // What had no room is told from memory.
    expect(await store.results.get(refOf(`exp_${kept}`))).toMatchObject({ kind: 'final' })
    expect(await store.results.get(refOf('exp_0'))).toMatchObject({ kind: 'final' })
    expect(await store.healthy()).toBe(false)

    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    const later = { ...large, forgetAt: large.forgetAt + 24 * HOUR }
    const snapshot = { ...large.snapshot, endOfLife: large.forgetAt }
    expect(await store.results.put(refOf('exp_new'), { ...later, snapshot })).toMatchObject({
      kind: 'final',
    })
  })

  it('still sweeps when it is full to the last page', async () => {
    // Regression: the file was full, so from the first day on every sweep failed, and the store kept
    // no new final.
    const { store, clock, storeFailed } = setUp({ maxBytes: 3_000_000 })
    const usual = finalOf('a body of the usual size'.repeat(30))
    let kept = 0
    const fill = async () => {
      for (; kept < 10_000; kept++) await store.results.put(refOf(`exp_${kept}`), usual)
    }
    await expect(fill()).rejects.toThrow(/full/)
    clock.advance(24 * HOUR)
    for (let slice = 0; slice <= kept / 100 + 1; slice++) vi.advanceTimersByTime(MINUTE)
    expect(storeFailed).not.toHaveBeenCalled()
    expect(await store.results.get(refOf('exp_0'))).toMatchObject({ kind: 'expired' })
    const endOfLife = usual.forgetAt + HOUR
    const next = {
      ...usual,
      snapshot: { ...usual.snapshot, endOfLife },
      forgetAt: endOfLife + HOUR,
    }
    expect(await store.results.put(refOf('exp_new'), next)).toMatchObject({ kind: 'final' })
  })

  it('tells the operator once, before it is full', async () => {
    const onNearlyFull = vi.fn<(usedBytes: number, maxBytes: number) => void>()
    const maxBytes = 460_000
    const { store } = setUp({ maxBytes, onNearlyFull })
    const large = finalOf('z'.repeat(8000))
    let puts = 0
    for (; onNearlyFull.mock.calls.length === 0; puts++) {
      // When the file is full, this rejects and fails the test: the operator was not told before.
      await store.results.put(refOf(`exp_${puts}`), large)
      vi.advanceTimersByTime(MINUTE)
    }
    expect(puts).toBeGreaterThan(10)
    vi.advanceTimersByTime(5 * MINUTE)
    expect(onNearlyFull).toHaveBeenCalledOnce()
    const [used = 0, bound] = onNearlyFull.mock.calls[0] ?? []
    expect(bound).toBe(maxBytes)
    expect(used).toBeGreaterThan(0.9 * maxBytes)
  })
})
