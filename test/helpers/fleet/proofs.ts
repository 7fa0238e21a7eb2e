import { describe, expect, it } from 'vitest'
import { withoutRedis } from '../redis.ts'
import type { Violation } from './checking/record.ts'
import type { PlantName } from './plants.ts'
import type { Scene } from './scenes.ts'

/**
 * Tests which prove that the checker of a fleet finds bugs: a sound fleet passes a scene, and a fleet
 * with a planted bug does not.
 */

type Rule = Violation['rule']

/**
 * Registers the test of a fleet without a bug.
 *
 * @param name completes "breaks no rule during …"
 */
export const soundFleetPasses = (name: string, scene: Scene): void => {
  describe.skipIf(withoutRedis)('a sound fleet', () => {
    it(`breaks no rule during ${name}`, async () => {
      expect(await scene()).toEqual([])
    })
  })
}

/**
 * Registers a test for each planted bug. The checker must find one of the broken rules that are the
 * marks of this bug.
 */
export const checkerCatches = (
  scene: Scene,
  proofs: Readonly<Partial<Record<PlantName, readonly [Rule, ...Rule[]]>>>,
): void => {
  describe.skipIf(withoutRedis)('the checker', () => {
    it.each(Object.entries(proofs))('catches %s', async (bug, rules) => {
      // The type of Object.entries does not keep that the keys are the names of plants.
      const found = new Set((await scene(bug as PlantName)).map(({ rule }) => rule))
      expect(rules.filter((rule) => found.has(rule))).not.toEqual([])
    })
  })
}
