import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, createClock, tempDirectory } from '../fixtures.ts'
import { LIMITS, VISIBILITY_MS } from '../records.ts'

const setUp = () => {
  const path = join(tempDirectory(), 'gateway.sqlite')
  const clock = createClock()
  /** Opens the store as a new process does, whose monotonic clock starts at 0. */
  const open = () => {
    const start = clock.now()
    const monotonic = () => clock.now() - start
    return closedAfterTest(
      createSqliteStore({
        path,
        limits: LIMITS,
        visibilityMs: VISIBILITY_MS,
        now: clock.now,
        monotonic,
      }),
    )
  }
  return { path, clock, open }
}

describe('budget of a sqlite store over restarts', () => {
  it('gives no call for the rest of the window after the last call before the restart', async () => {
    const { clock, open } = setUp()
    const first = open()
    expect(await first.budget.take('default')).toBe(0)
    clock.advance(700)
    await first.close()
    clock.advance(300)
    const waitMs = await open().budget.take('default')
    expect(waitMs).toBeGreaterThan(1000)
    expect(waitMs).toBeLessThanOrEqual(1002)
  })

  it('is free at once when the window has passed since the last call', async () => {
    const { clock, open } = setUp()
    const first = open()
    await first.budget.take('default')
    await first.close()
    clock.advance(2002)
    expect(await open().budget.take('default')).toBe(0)
  })

  it('is free at once when the closed store never made a call', async () => {
    const { open } = setUp()
    await open().close()
    expect(await open().budget.take('default')).toBe(0)
  })

  it('remembers a call of an earlier process when the last process made none', async () => {
    const { clock, open } = setUp()
    const first = open()
    await first.budget.take('default')
    await first.close()
    await open().close()
    clock.advance(500)
    expect(await open().budget.take('default')).toBeGreaterThan(1500)
  })

  it('gives no call for a whole window after a process that was killed', async () => {
    const { path, clock, open } = setUp()
    const first = open()
    await first.close()
    clock.advance(60_000)
    // A killed process leaves this log behind.
    writeFileSync(`${path}-wal`, '')
    expect(await open().budget.take('default')).toBeGreaterThan(2000)
  })

  it('gives no call for a whole window when the wall clock was set back', async () => {
    const { clock, open } = setUp()
    const first = open()
    await first.budget.take('default')
    await first.close()
    clock.advance(-3_600_000)
    const waitMs = await open().budget.take('default')
    expect(waitMs).toBeGreaterThan(2000)
    expect(waitMs).toBeLessThanOrEqual(2002)
  })

  it('gives no call for a whole window when it replaces a damaged file', async () => {
    const { path, open } = setUp()
    copyFileSync(import.meta.filename, path)
    expect(await open().budget.take('default')).toBeGreaterThan(2000)
  })
})
