import { describe, expect, it } from 'vitest'
import { shareOf } from '../../../src/store/failover/budget.ts'

const LIMIT = 20
const RESERVE = 4

describe('the share of the budget that a replica has without Redis', () => {
  // Regression: with six replicas the share was three calls. 18 calls left in a window, arrived a
  // few milliseconds later, together with calls of the next window, and lemlist counted 22.
  it.each([
    [1, 4],
    [3, 4],
    [4, 4],
    [5, 3],
    [6, 2],
    [10, 1],
    [50, 1],
  ])('is, with %d replicas, %d calls', (replicas, share) => {
    expect(shareOf(LIMIT, RESERVE, replicas)).toBe(share)
  })

  it('leaves room for the first quarter of the next window, with up to ten replicas', () => {
    for (let replicas = 1; replicas <= 10; replicas += 1) {
      const calls = shareOf(LIMIT, RESERVE, replicas)
      expect(replicas * (calls + Math.max(1, Math.floor(calls / 4)))).toBeLessThanOrEqual(LIMIT)
    }
  })

  it('is at least one call, and at most the reserve, however large the limit is', () => {
    expect(shareOf(1, 0, 1)).toBe(1)
    expect(shareOf(1_000_000, 7, 3)).toBe(7)
  })
})
