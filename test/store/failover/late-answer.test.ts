import { describe, expect, it } from 'vitest'
import type { Budget } from '../../../src/exports/ports.ts'
import { createFailoverBudget } from '../../../src/store/failover/budget.ts'
import type { Switch } from '../../../src/store/failover/switch.ts'

const LIMITS = { calls: 16, windowMs: 60_000 }
const RESERVE = 2

/** A budget whose Redis answers, and is found gone before the answer is used. */
const setUp = (answerMs: number) => {
  const primary: Budget = {
    take: async () => answerMs,
    pause: async () => {},
    pausedMs: async () => 0,
  }
  let up = true
  const toggle: Switch = {
    isUp: () => up,
    either: async (there, here) => {
      if (!up) return here()
      const answer = await there()
      up = false
      budget.goAway(1)
      return answer
    },
  }
  const budget = createFailoverBudget(primary, toggle, { limits: LIMITS, reserve: RESERVE })
  return budget
}

describe('an answer of Redis that is used after Redis was found gone', () => {
  // Regression: a caller for whom there was a call in the reserve waited, and was refused.
  it.each([
    ['allowed', 0],
    ['refused', 500],
  ])('that %s a call no longer counts: the reserve decides', async (_, answerMs) => {
    const budget = setUp(answerMs)
    const take = async () => (await budget.take('default', () => true)) === 0
    expect([await take(), await take(), await take()]).toEqual([true, true, false])
  })

  it.each([
    ['allowed', 0],
    ['refused', 500],
  ])('that %s a call gives none to what is not due', async (_, answerMs) => {
    const budget = setUp(answerMs)
    expect(await budget.take('default', () => false)).toBeGreaterThan(LIMITS.windowMs / 2)
  })
})
