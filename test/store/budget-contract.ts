import { describe, expect, it } from 'vitest'
import type { BudgetLimits, Store } from '../../src/exports/ports.ts'
import { type Clock, closedAfterTest, createClock } from './fixtures.ts'

/** What every `Budget` promises. `open` makes a fresh store on the given monotonic clock. */
export const describeBudget = (
  name: string,
  open: (limits: BudgetLimits, clock: Clock) => Store,
): void => {
  const setUp = (calls: number, windowMs: number) => {
    const clock = createClock(0.25)
    const { budget } = closedAfterTest(open({ calls, windowMs }, clock))
    /** Takes calls until the budget says to wait. */
    const drain = async (account = 'default') => {
      for (let taken = 0; ; taken++) {
        const waitMs = await budget.take(account)
        if (waitMs > 0) return { taken, waitMs }
      }
    }
    return { clock, budget, drain }
  }

  describe(`budget of ${name}`, () => {
    it('starts free and lets a quarter of the calls leave in a quarter of the window', async () => {
      const { drain } = setUp(16, 2000)
      expect((await drain()).taken).toBe(4)
    })

    it('lets a call leave after the wait it named, and not a moment before', async () => {
      const { budget, clock, drain } = setUp(16, 2000)
      const { waitMs } = await drain()
      clock.advance(waitMs - 1)
      expect(await budget.take('default')).toBe(1)
      clock.advance(1)
      expect(await budget.take('default')).toBe(0)
    })

    it('does not count a refused call', async () => {
      const { budget, drain } = setUp(16, 2000)
      const { waitMs } = await drain()
      for (let n = 0; n < 100; n++) expect(await budget.take('default')).toBe(waitMs)
    })

    it('keeps the limit of the whole window when its quarters would give more', async () => {
      const { clock, drain } = setUp(3, 2000)
      let taken = 0
      for (let quarter = 0; quarter < 3; quarter++) {
        taken += (await drain()).taken
        clock.advance(501)
      }
      expect(taken).toBe(3)
      expect(await drain()).toEqual({ taken: 0, waitMs: 2001 - 3 * 501 })
    })

    it('gives one call per window when the limit is one call', async () => {
      const { clock, drain } = setUp(1, 1000)
      expect(await drain()).toEqual({ taken: 1, waitMs: 1001 })
      clock.advance(1001)
      expect((await drain()).taken).toBe(1)
    })

    it('counts each account by itself', async () => {
      const { drain } = setUp(16, 2000)
      expect((await drain('one')).taken).toBe(4)
      expect((await drain('two')).taken).toBe(4)
    })

    it('lets no call leave before a pause is over, and then as many as before', async () => {
      const { budget, clock, drain } = setUp(16, 2000)
      await budget.pause('default', 5000)
      const { taken, waitMs } = await drain()
      expect(taken).toBe(0)
      // The wait may be rounded up to the next whole millisecond.
      expect(waitMs).toBeGreaterThanOrEqual(5000)
      expect(waitMs).toBeLessThanOrEqual(5001)
      clock.advance(4000)
      expect(await budget.take('default')).toBe(waitMs - 4000)
      clock.advance(waitMs - 4001)
      expect(await budget.take('default')).toBe(1)
      clock.advance(1)
      expect((await drain()).taken).toBe(4)
    })

    it('counts the calls before a pause when the pause is the shorter wait', async () => {
      const { budget, drain } = setUp(16, 2000)
      const { waitMs } = await drain()
      await budget.pause('default', 10)
      expect(await budget.take('default')).toBe(waitMs)
    })

    it('keeps the longest pause, whichever came last', async () => {
      const { budget, clock } = setUp(16, 2000)
      await budget.pause('default', 5000)
      await budget.pause('default', 1000)
      expect(await budget.take('default')).toBeGreaterThanOrEqual(5000)
      clock.advance(4500)
      await budget.pause('default', 1000)
      expect(await budget.take('default')).toBeGreaterThanOrEqual(1000)
    })

    it.each([0, -1000, Number.NaN])('ignores a pause of %d ms', async (ms) => {
      const { budget, clock, drain } = setUp(16, 2000)
      await budget.pause('default', ms)
      clock.advance(1)
      expect((await drain()).taken).toBe(4)
    })

    it('pauses one account and no other', async () => {
      const { budget, drain } = setUp(16, 2000)
      await budget.pause('one', 5000)
      expect((await drain('one')).taken).toBe(0)
      expect((await drain('two')).taken).toBe(4)
    })
  })
}
