import { describe, expect, it } from 'vitest'
import { claimMs, patienceOf, pollStandMs } from '../../../src/lemlist/limits.ts'

describe('the time that a poll stands in line', () => {
  it.each([100, 10_000, 20_000, 600_000])(
    'is longer than a caller stands there, with a deadline of %i ms for a call',
    (timeoutMs) => {
      // Regression: with a deadline of 20 s, callers who came all the time kept every poll from its slot.
      expect(pollStandMs(timeoutMs)).toBeGreaterThan(patienceOf(timeoutMs, {}).patienceMs)
      expect(claimMs(timeoutMs)).toBeGreaterThanOrEqual(pollStandMs(timeoutMs) + timeoutMs)
    },
  )
})
