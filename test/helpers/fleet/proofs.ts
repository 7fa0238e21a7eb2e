import { describe, expect, it } from 'vitest'
import { withoutRedis } from '../redis.ts'
import type { PlantName } from './plants.ts'
import type { Violation } from './record.ts'
import type { Scene } from './scenes.ts'

/** That the checker of a fleet sees bugs: a sound fleet passes a scene, and one with a bug does not. */

type Rule = Violation['rule']

/** Registers the test of sound gateways. */
export const soundFleetPasses = (name: string, scene: Scene): void => {
  describe.skipIf(withoutRedis)('a sound fleet', () => {
    it(`comes out of ${name} without a violation`, async () => {
      expect(await scene()).toEqual([])
    })
  })
}

/** Registers a test for each planted bug. The checker must name one of the rules that mark the bug. */
export const checkerCatches = (
  scene: Scene,
  proofs: Readonly<Partial<Record<PlantName, readonly [Rule, ...Rule[]]>>>,
): void => {
  describe.skipIf(withoutRedis)('the checker', () => {
    it.each(Object.entries(proofs))('catches %s', async (bug, rules) => {
      // Object.entries forgets that the names are those of plants.
      const found = new Set((await scene(bug as PlantName)).map(({ rule }) => rule))
      expect(rules.filter((rule) => found.has(rule))).not.toEqual([])
    })
  })
}
