import { describe, expect, it } from 'vitest'
import { createClockShift } from '../../../src/store/redis/clock-shift.ts'

/** The value in use after each of these measurements. */
const valuesAfter = (...measured: number[]): (number | undefined)[] => {
  const shift = createClockShift()
  return measured.map((ms) => {
    shift.measured(ms)
    return shift.value()
  })
}

describe('the difference between the clocks of Redis and of a replica', () => {
  it('is unknown before it was measured', () => {
    expect(createClockShift().value()).toBeUndefined()
  })

  it('stays the same while the way to Redis takes a little more or less time', () => {
    expect(valuesAfter(100, 103, 98, 149, 51)).toEqual([100, 100, 100, 100, 100])
  })

  it('becomes less at once, because no way is shorter than it really is', () => {
    expect(valuesAfter(400, 350, 340)).toEqual([400, 350, 350])
  })

  it('is not longer because Redis was busy for a moment', () => {
    const busy = Array.from({ length: 9 }, () => 900)
    expect(new Set(valuesAfter(100, ...busy, 101, ...busy))).toEqual(new Set([100]))
  })

  it('is longer when every measurement is, as long as the shortest of them', () => {
    const drifted = Array.from({ length: 10 }, (_, n) => 160 + n)
    expect(valuesAfter(100, ...drifted).slice(-2)).toEqual([100, 160])
  })

  // Regression: each replica showed times with its own way to Redis in them, so the same list had
  // another ETag on each.
  it.each([0, 3, 49, -49])('is none where the clocks agree: %i ms', (ms) => {
    expect(valuesAfter(ms)).toEqual([expect.closeTo(0)])
  })

  it.each([3_600_000, -3_600_000])('is another one at once when a clock was set by %d ms', (ms) => {
    expect(valuesAfter(100, 100 + ms)).toEqual([100, 100 + ms])
  })
})
