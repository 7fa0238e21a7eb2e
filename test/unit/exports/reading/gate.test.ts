import { describe, expect, it, vi } from 'vitest'
import { createAllowances } from '../../../../src/exports/reading/allowances.ts'
import { createGate } from '../../../../src/exports/reading/gate.ts'
import { Problem } from '../../../../src/problems.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const PATIENCE_MS = 3_000

const start = (maxWaiting?: number) => {
  useFakeTime()
  const gate = createGate(createAllowances({ calls: 16, windowMs: 2_000 }), maxWaiting)
  let asked = 0
  /** Asks for an export that nobody asked for before. Returns when it may be looked at. */
  const pass = (exportId = `axp_${++asked}`, callerId = 'key:crm') =>
    gate.pass({ ...REF, exportId }, callerId, PATIENCE_MS)
  const refusal = (): Problem => {
    try {
      void pass()
    } catch (error) {
      if (error instanceof Problem) return error
    }
    throw new Error('the gate did not refuse')
  }
  const passes = (count: number) => Array.from({ length: count }, () => pass())
  return { pass, passes, refusal }
}

describe('the gate before looks at ids that nobody has seen', () => {
  it('lets a caller pass at once while he has places', () => {
    const { passes } = start()
    expect(passes(4)).toEqual(Array(4).fill(undefined))
  })

  it('lets him wait for the next window, and not longer', async () => {
    const { passes, pass } = start()
    void passes(4)
    const passed = vi.fn()
    void pass()?.then(passed)
    await vi.advanceTimersByTimeAsync(1_999)
    expect(passed).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(passed).toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('refuses at once what would take longer than his patience', () => {
    const { passes, refusal } = start()
    void passes(8)
    const { code, options } = refusal()
    expect({ code, retryAfterMs: options.retryAfterMs }).toEqual({
      code: 'budget-exhausted',
      retryAfterMs: 4_000,
    })
    expect(vi.getTimerCount()).toBe(4)
  })

  it('counts reads of one caller once that wait for the same export', () => {
    const { passes, pass } = start()
    void passes(4)
    const waits = Array.from({ length: 100 }, () => pass('axp_Same'))
    expect(new Set(waits).size).toBe(1)
    expect(passes(3)).toHaveLength(3)
  })

  it('counts a read of its own that comes after the wait for the same export', async () => {
    const { passes, pass } = start()
    void passes(4)
    void pass('axp_Same')
    await vi.advanceTimersByTimeAsync(4_000)
    expect(pass('axp_Same')).toBeUndefined()
    void passes(3)
    expect(pass('axp_Same')).toBeDefined()
  })

  it('keeps the waits of two callers apart', () => {
    const { passes, pass } = start()
    void passes(4)
    expect(pass('axp_Same')).toBeDefined()
    expect(pass('axp_Same', 'key:other')).toBeUndefined()
  })

  it('has a bound on the reads that wait, and takes no place for those beyond it', () => {
    const { passes, pass, refusal } = start(1)
    void passes(5)
    expect(refusal().code).toBe('budget-exhausted')
    expect(pass('axp_Other', 'key:other')).toBeUndefined()
  })
})
