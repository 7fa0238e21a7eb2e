import { describe, expect, it } from 'vitest'
import { runSchedule } from '../helpers/fleet/chaos.ts'
import { planFaults } from '../helpers/fleet/fault-plan.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { createRandom } from '../helpers/fleet/random.ts'
import { withoutRedis } from '../helpers/redis.ts'

/**
 * `FLEET_SEEDS=60` runs as many schedules; `FLEET_SEED=7` runs that one again. A seed decides which
 * faults come when; what the fleet makes of them may differ by milliseconds.
 */
const one = process.env.FLEET_SEED
const count = Number(process.env.FLEET_SEEDS ?? 20)
const seeds = one === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(one)]

describe('a schedule of faults', () => {
  it('is run at all', () => {
    expect(seeds.length).toBeGreaterThan(0)
    for (const seed of seeds) expect(seed).toBeGreaterThanOrEqual(0)
  })

  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number) => planFaults(createRandom(seed), 3, 4)
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
  })
})

describe.skipIf(withoutRedis)('three replicas under a random schedule of faults', () => {
  it.each(seeds)('break no promise: FLEET_SEED=%i', async (seed) => {
    const { plan, violations, calls, sightings } = await runSchedule(seed)
    const faults = plan.faults.map(({ name }) => name).join(', ')
    measured(`FLEET_SEED=${seed}: ${sightings} sightings, ${calls} calls; ${faults}`)
    expect({ seed, plan, violations }).toEqual({ seed, plan, violations: [] })
  })
})
