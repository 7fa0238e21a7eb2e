import { describe, expect, it } from 'vitest'
import { runSchedule } from '../helpers/fleet/chaos.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { withoutRedis } from '../helpers/redis.ts'

/**
 * `FLEET_SEEDS=600` runs 600 schedules of faults. `FLEET_SEED=7` runs the schedule of seed 7 alone. A
 * seed decides which faults come when. How the fleet reacts may differ by milliseconds.
 */
const one = process.env.FLEET_SEED
const count = Number(process.env.FLEET_SEEDS ?? 60)
const SEEDS = one === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(one)]

/** The schedules are spread over this many test files, because test files run side by side. */
const FILES = 3

/** Registers the tests of one file. @param file from 1 to `FILES` */
export const describeSchedules = (file: number): void => {
  const seeds = SEEDS.filter((_, index) => index % FILES === file - 1)

  describe('the schedules of faults in this file', () => {
    it.skipIf(one !== undefined && file !== 1)('are run at all', () => {
      expect(seeds.length).toBeGreaterThan(0)
      for (const seed of seeds) expect(seed).toBeGreaterThanOrEqual(0)
    })
  })

  const judged = { reads: 0, returns: 0, coldReads: 0 }

  describe.skipIf(withoutRedis)('three replicas under a random schedule of faults', () => {
    it.each(seeds)('break no promise: FLEET_SEED=%i', async (seed) => {
      const { plan, violations, calls, sightings, turns, coldReads } = await runSchedule(seed)
      const faults = plan.faults.map(({ name }) => name).join(', ')
      measured(
        `FLEET_SEED=${seed}: ${sightings} sightings, ${calls} calls, ${turns.reads} reads and ${turns.returns} returns after an end, ${coldReads} cold reads; ${faults}`,
      )
      // A run of hundreds of schedules shows what it has found before it ends.
      for (const { rule, detail } of violations) measured(`FLEET_SEED=${seed}: ${rule}: ${detail}`)
      judged.reads += turns.reads
      judged.returns += turns.returns
      judged.coldReads += coldReads
      expect({ seed, plan, violations }).toEqual({ seed, plan, violations: [] })
    })

    // One schedule may leave no call for a cold read. Many schedules do not.
    it.skipIf(one !== undefined)('have shown the checker what each rule is about', () => {
      expect(Object.entries(judged).filter(([, times]) => times === 0)).toEqual([])
    })
  })
}
