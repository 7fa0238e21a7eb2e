import { describe, expect, it } from 'vitest'
import { planFaults } from '../helpers/fleet/fault-plan.ts'
import { createRandom } from '../helpers/random.ts'

describe('a schedule of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number) => planFaults(createRandom(seed), 3, 4)
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
  })
})
