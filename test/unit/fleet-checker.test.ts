import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checking/checker.ts'
import { createRecorder, type FleetRecord, keyOf } from '../helpers/fleet/checking/record.ts'
import { pendingBody } from '../helpers/status-bodies.ts'

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
