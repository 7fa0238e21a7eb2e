import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openSqliteFile } from '../../../src/store/sqlite/file.ts'
import { createSqliteResults } from '../../../src/store/sqlite/results.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, createClock, tempDirectory } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, timedOut, VISIBILITY_MS } from '../records.ts'

const MINUTE = 60_000

const setUp = (options: { maxBytes?: number } = {}) => {
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
    for (let n = 0; n < 600; n++) await store.results.put(refOf(`exp_${n}`), timedOut)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    vi.advanceTimersByTime(50)
    expect(await rows()).toHaveLength(0)
  })

  it('takes one slice at a time', async () => {
    const { clock, store, rows } = setUp()
    for (let n = 0; n < 600; n++) await store.results.put(refOf(`exp_${n}`), timedOut)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    expect(await rows()).toHaveLength(100)
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
    const { db } = openSqliteFile({ path, maxBytes: 1_000_000, now: clock.now })
    onTestFinished(() => db.close())
    const results = createSqliteResults(db, { now: clock.now, storeFailed })
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
    expect(await store.results.get(refOf(`exp_${kept}`))).toBeUndefined()
    expect(await store.results.get(refOf('exp_0'))).toMatchObject({ kind: 'final' })
    expect(await store.healthy()).toBe(true)

    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(MINUTE)
    const later = { ...large, forgetAt: large.forgetAt + 24 * HOUR }
    const snapshot = { ...large.snapshot, endOfLife: large.forgetAt }
    expect(await store.results.put(refOf('exp_new'), { ...later, snapshot })).toMatchObject({
      kind: 'final',
    })
  })
})
