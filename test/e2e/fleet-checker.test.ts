import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checker.ts'
import type { PlantName } from '../helpers/fleet/plants.ts'
import { createRecorder, type FleetRecord, keyOf, type Violation } from '../helpers/fleet/record.ts'
import {
  lateReschedule,
  lossOfTheCount,
  ordinaryLife,
  type Scene,
} from '../helpers/fleet/scenes.ts'
import { withoutRedis } from '../helpers/redis.ts'
import { pendingBody } from '../helpers/status-bodies.ts'

interface Proof {
  readonly bug: PlantName
  readonly scene: Scene
  /** Any of which is the mark of this bug. */
  readonly rules: readonly Violation['rule'][]
}

const PROOFS: readonly Proof[] = [
  { bug: 'a lost publish of a final', scene: ordinaryLife, rules: ['final-late', 'final-lost'] },
  { bug: 'pending cached', scene: ordinaryLife, rules: ['out-of-date'] },
  { bug: 'done turned to pending', scene: ordinaryLife, rules: ['step-back'] },
  { bug: 'an export claimed twice', scene: ordinaryLife, rules: ['polled-twice'] },
  { bug: 'an older snapshot accepted over a newer', scene: ordinaryLife, rules: ['step-back'] },
  {
    bug: 'a reschedule without the token',
    scene: lateReschedule,
    rules: ['final-late', 'final-lost'],
  },
  { bug: 'the budget not awaited at the switch', scene: lossOfTheCount, rules: ['window'] },
]

describe.skipIf(withoutRedis)('a sound fleet', () => {
  it.each([
    ['ordinary life', ordinaryLife],
    ['a reschedule that comes too late', lateReschedule],
    ['the loss of the common count', lossOfTheCount],
  ])('comes out of %s without a violation', async (_, scene) => {
    expect(await scene()).toEqual([])
  })
})

describe.skipIf(withoutRedis)('the checker', () => {
  it.each(PROOFS)('catches $bug', async ({ bug, scene, rules }) => {
    const found = new Set((await scene(bug)).map(({ rule }) => rule))
    expect(rules.filter((rule) => found.has(rule))).not.toEqual([])
  })
})

/** Two accounts have an export of the same name; `shown` is what the caller of the first is shown. */
const recordOfTwoAccounts = (shown: 'mine' | 'theirs'): FleetRecord => {
  const ids = { campaignId: 'cam_Same', exportId: 'axp_Same' }
  const key = keyOf('mine', ids.campaignId, ids.exportId)
  const bodies = {
    mine: pendingBody({ teamId: 'tea_Mine' }, ids),
    theirs: pendingBody({ teamId: 'tea_Theirs' }, ids),
  }
  const sighting = { client: 'client', key, via: 'stream', state: 'pending', turn: 1 } as const
  return {
    ...createRecorder(),
    said: [
      { key, body: bodies.mine, state: 'pending', at: 0 },
      {
        key: keyOf('theirs', ids.campaignId, ids.exportId),
        body: bodies.theirs,
        state: 'pending',
        at: 0,
      },
    ],
    sightings: [
      {
        ...sighting,
        body: bodies[shown],
        version: shown,
        replica: 'a',
        at: 2,
        askedAt: 1,
        stale: false,
      },
    ],
    follows: [{ client: 'client', key, from: 0 }],
    calls: [{ key, replica: 'a', at: 1 }],
  }
}

describe('the checker of a record', () => {
  it('catches a key without its account', () => {
    expect(check(recordOfTwoAccounts('mine'), { window: CALM_WINDOW })).toEqual([])
    const found = check(recordOfTwoAccounts('theirs'), { window: CALM_WINDOW })
    expect(found.map(({ rule }) => rule)).toEqual(['foreign'])
  })

  it('does not pass a record with nothing in it', () => {
    const nothing = { ...createRecorder(), calls: [] }
    const found = check(nothing, { window: CALM_WINDOW })
    expect(new Set(found.map(({ rule }) => rule))).toEqual(new Set(['nothing-to-check']))
  })
})
