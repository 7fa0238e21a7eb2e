import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAllowances } from '../../../../src/exports/reading/allowances.ts'

const LONG = Number.POSITIVE_INFINITY

const start = (calls: number, windowMs = 2_000) => {
  const clock = { at: 1_000 }
  return { clock, allowances: createAllowances({ calls, windowMs }, () => clock.at) }
}

describe('the allowance of a caller', () => {
  it('is a quarter of the calls, at once, and the same again a window later', () => {
    const { allowances } = start(16)
    const waits = Array.from({ length: 9 }, () => allowances.take('key:crm', LONG))
    expect(waits).toEqual([0, 0, 0, 0, 2_000, 2_000, 2_000, 2_000, 4_000])
  })

  it('is left whole by a place that comes too late for the caller', () => {
    const { allowances, clock } = start(16)
    for (let taken = 0; taken < 4; taken += 1) allowances.take('key:crm', 0)
    for (let refused = 0; refused < 100; refused += 1) {
      expect(allowances.take('key:crm', 1_999)).toBe(2_000)
    }
    clock.at += 2_000
    expect(allowances.take('key:crm', 0)).toBe(0)
  })

  it('is not spent by another caller', () => {
    const { allowances } = start(16)
    for (let taken = 0; taken < 100; taken += 1) allowances.take('key:flood', LONG)
    expect(allowances.take('key:crm', 0)).toBe(0)
  })

  it('is one place in four windows when the budget has one call', () => {
    const { allowances } = start(1)
    expect([allowances.take('key:crm', LONG), allowances.take('key:crm', LONG)]).toEqual([0, 8_000])
  })

  it('never has more than a quarter of the calls begin in a window', () => {
    const pauses = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 200 })
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 400 }), pauses, (calls, pauses) => {
        const { allowances, clock } = start(calls)
        const begins = pauses.map((pause) => {
          clock.at += pause
          return clock.at + allowances.take('key:crm', LONG)
        })
        const inWindow = (from: number) =>
          begins.filter((at) => at >= from && at < from + 1_999.999).length
        return begins.every((from) => inWindow(from) <= calls / 4)
      }),
    )
  })
})
