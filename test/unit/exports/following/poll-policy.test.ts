import { describe, expect, it } from 'vitest'
import {
  type Looked,
  nextLook,
  watchedIntervalMs,
} from '../../../../src/exports/following/poll-policy.ts'

const INTERVALS = {
  firstMs: 1_000,
  intervalMs: 5_000,
  maxIntervalMs: 15_000,
  idleIntervalMs: 60_000,
}
const MINUTE = 60_000
const SEEN = 1_700_000_000_000

/**
 * The next look at a watched, pending export of this age. `afterMs` counts from now, and `waitedMs`
 * to now.
 */
const look = (ageMs: number, more: Partial<Looked> = {}) => {
  const now = SEEN + ageMs
  const common = { now, firstSeenAt: SEEN, watched: true, pending: true, failures: 0, random: 0 }
  const { dueAt, lookedAt, intervalMs } = nextLook({ ...common, ...more }, INTERVALS)
  return { afterMs: dueAt - now, waitedMs: now - lookedAt, intervalMs }
}

describe('the interval of a watched export', () => {
  it.each([
    [0, 5_000],
    [29_999, 5_000],
    [30_000, 5_000],
    [45_000, 7_500],
    [MINUTE, 10_000],
    [90_000, 15_000],
    [10 * MINUTE, 15_000],
    [-5_000, 5_000],
  ])('is, at the age of %d ms, %d ms', (ageMs, intervalMs) => {
    expect(watchedIntervalMs(ageMs, INTERVALS)).toBe(intervalMs)
  })

  it('is the same at any scale of time', () => {
    for (const ageMs of [0, 20_000, 45_000, MINUTE, 90_000]) {
      const scaled = watchedIntervalMs(ageMs / 100, { intervalMs: 50, maxIntervalMs: 150 })
      expect(scaled * 100).toBeCloseTo(watchedIntervalMs(ageMs, INTERVALS))
    }
  })
})

describe('the first look at a watched export', () => {
  it.each([
    [0, 1_000],
    [0.5, 1_050],
    [0.999, 1_099.9],
  ])(
    'comes, with the random number %d, after %d ms: never before the first second is over',
    (random, afterMs) => {
      expect(look(0, { random }).afterMs).toBeCloseTo(afterMs)
    },
  )

  it('comes before the looks at exports that wait for less than the longest interval', () => {
    // Most exports end within a second. Regression: beside 120 pending exports the first look waited
    // for a whole round, 15 s.
    expect(look(100).waitedMs).toBe(15_000)
    expect(look(2_000).waitedMs).toBe(0)
  })

  it('keeps its time when a caller looks before it', () => {
    expect(look(400).afterMs).toBeCloseTo(600)
    expect(look(400).intervalMs).toBe(1_000)
  })

  it('is no longer planned when the first second is over', () => {
    expect(look(1_000).intervalMs).toBe(5_000)
  })

  it.each([{ watched: false }, { pending: false }, { failures: 1 }])(
    'is not planned with %j',
    (more) => {
      expect(look(0, more).afterMs).toBeGreaterThan(5_000)
    },
  )
})

describe('later looks', () => {
  it.each([2_000, 20_000, 45_000, MINUTE, 10 * MINUTE])(
    'have, at the age of %d ms, a jitter that makes them at most 10 % earlier, and never later',
    (ageMs) => {
      const { intervalMs } = look(ageMs)
      const all = [0, 0.25, 0.5, 0.75, 0.999_999].map((random) => look(ageMs, { random }).afterMs)
      expect(Math.min(...all)).toBeGreaterThanOrEqual(0.9 * intervalMs)
      expect(Math.max(...all)).toBeLessThanOrEqual(intervalMs)
      expect(new Set(all).size).toBe(all.length)
    },
  )

  it('come at the idle pace while nobody watches, at any age', () => {
    for (const ageMs of [0, 2_000, MINUTE, 100 * MINUTE]) {
      const idle = { afterMs: MINUTE, waitedMs: 0, intervalMs: MINUTE }
      expect(look(ageMs, { watched: false })).toEqual(idle)
    }
  })

  it('come at the idle pace for a state that lemlist has not documented', () => {
    const idle = { afterMs: MINUTE, waitedMs: 0, intervalMs: MINUTE }
    expect(look(2_000, { pending: false })).toEqual(idle)
  })
})

describe('looks that fail', () => {
  it.each([
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [4, 60_000],
    [5, 60_000],
    [5_000, 60_000],
  ])('are, after %d in a row, %d ms apart', (failures, intervalMs) => {
    expect(look(2_000, { failures })).toEqual({ afterMs: intervalMs, waitedMs: 0, intervalMs })
  })

  it('come no sooner than without a failure when the pace is slower than a minute', () => {
    const slow = { ...INTERVALS, idleIntervalMs: 5 * MINUTE }
    const looked = { now: SEEN, firstSeenAt: SEEN, watched: false, pending: true, random: 0 }
    expect(nextLook({ ...looked, failures: 3 }, slow).intervalMs).toBe(5 * MINUTE)
  })
})
