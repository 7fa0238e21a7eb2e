import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checking/checker.ts'
import {
  createRecorder,
  type Disturbance,
  type FleetRecord,
  keyOf,
  type Sighting,
} from '../helpers/fleet/checking/record.ts'
import { doneBody, pendingBody } from '../helpers/status-bodies.ts'

const ids = { campaignId: 'cam_Turns', exportId: 'axp_Turns' }
const key = keyOf('default', ids.campaignId, ids.exportId)
const BODIES = {
  first: { state: 'pending', body: pendingBody({ progress: 1 }, ids) },
  second: { state: 'pending', body: pendingBody({ progress: 2 }, ids) },
  done: { state: 'done', body: doneBody({}, ids) },
}

let turns = 0
/** What a client is shown `at` this time, on a connection of its own unless `turn` says which. */
const shown = (
  word: keyof typeof BODIES,
  replica: string,
  at: number,
  more: Partial<Pick<Sighting, 'via' | 'stale' | 'turn' | 'askedAt'>> = {},
): Sighting => {
  turns += 1
  const sighting = { client: 'client', key, replica, at, version: undefined, ...BODIES[word] }
  return { ...sighting, via: 'stream', stale: false, turn: turns, askedAt: at - 1, ...more }
}

/** lemlist says the second progress at 100 and the end at 200. */
const recordOf = (
  sightings: readonly Sighting[],
  disturbances: readonly Disturbance[] = [],
): FleetRecord => ({
  ...createRecorder(),
  said: [
    { key, at: 0, ...BODIES.first },
    { key, at: 100, ...BODIES.second },
    { key, at: 200, ...BODIES.done },
  ],
  sightings: [...sightings, shown('done', 'z', 9_999)],
  follows: [{ client: 'client', key, from: 0 }],
  calls: [{ key, replica: 'a', at: 1 }],
  disturbances,
})

const rulesBroken = (...given: Parameters<typeof recordOf>) =>
  check(recordOf(...given), { window: CALM_WINDOW }).map(({ rule }) => rule)

/** From 150 to 3 000, and its consequences until 7 000. */
const disturbance = (
  effects: Disturbance['effects'],
  replica?: string,
  endedAt = 3_000,
): Disturbance => ({ what: 'a fault', effects, replica, from: 150, endedAt, to: endedAt + 4_000 })

describe('the checker of a client that changes replicas', () => {
  it('lets a status go forward', () => {
    expect(
      rulesBroken([shown('first', 'a', 50), shown('second', 'b', 150), shown('done', 'a', 300)]),
    ).toEqual([])
  })

  it.each(['stream', 'read'] as const)(
    'catches a final that is pending again (by %s), on another replica and on the same one',
    (via) => {
      const done = shown('done', 'a', 300)
      expect(rulesBroken([done, shown('second', 'b', 400, { via })])).toEqual(['turned-back'])
      expect(rulesBroken([done, shown('second', 'a', 400, { via })])).toEqual(['step-back'])
    },
  )

  it('catches progress that turned back for a follower that came back', () => {
    const [newer, older] = [shown('second', 'a', 150), shown('first', 'b', 160)]
    expect(rulesBroken([newer, older])).toEqual(['turned-back'])
  })

  it('catches an older status on one connection', () => {
    const turn = 1_000_000
    const [newer, older] = [shown('second', 'a', 150, { turn }), shown('first', 'a', 160, { turn })]
    expect(rulesBroken([newer, older])).toEqual(['step-back'])
  })

  it('judges no answer to a request that was sent before the final was shown', () => {
    const early = { via: 'read', askedAt: 250 } as const
    expect(rulesBroken([shown('done', 'a', 300), shown('second', 'b', 400, early)])).toEqual([])
  })

  const stale = { via: 'read', stale: true } as const

  it('excuses a stale pending that is marked, when the end was shown without Redis elsewhere', () => {
    const blind = [disturbance(['blinds'], 'a')]
    const done = shown('done', 'a', 300)
    expect(rulesBroken([done, shown('second', 'b', 400, stale)], blind)).toEqual([])
    expect(rulesBroken([done, shown('second', 'b', 400, stale)])).toEqual(['turned-back'])
    const unmarked = shown('second', 'b', 400, { via: 'read' })
    expect(rulesBroken([done, unmarked], blind)).toEqual(['turned-back'])
  })

  it('excuses no replica that is itself without Redis, nor one that was until a moment ago', () => {
    const lost = [disturbance(['blinds', 'loses'])]
    for (const at of [1_000, 4_000]) {
      const back = shown('second', 'b', at, stale)
      expect(rulesBroken([shown('done', 'a', 300), back], lost)).toEqual(['turned-back'])
      const stream = shown('second', 'b', at)
      expect(rulesBroken([shown('done', 'a', 300), stream], lost)).toEqual(['turned-back'])
    }
  })

  it('excuses a replica without Redis only when the client does not say that it comes back', () => {
    const lost = [disturbance(['blinds', 'loses'])]
    const next = shown('second', 'b', 1_000)
    const record = recordOf([shown('done', 'a', 300, { via: 'read' }), next], lost)
    const returns = [{ client: 'client', keys: [key], replica: 'b', at: next.askedAt }]
    const broken = (one: FleetRecord) => check(one, { window: CALM_WINDOW }).map(({ rule }) => rule)
    expect(broken(record)).toEqual([])
    expect(broken({ ...record, returns })).toEqual(['turned-back'])
  })

  it('excuses a replica that had no time to notice the loss', () => {
    const short = [disturbance(['blinds', 'loses'], undefined, 400)]
    const back = shown('second', 'b', 350, stale)
    expect(rulesBroken([shown('done', 'a', 300), back], short)).toEqual([])
  })

  it('excuses a lost end only where the message of it may have been lost, too', () => {
    const done = shown('done', 'a', 300)
    const back = shown('second', 'b', 400, stale)
    const flushed = disturbance(['empties'])
    expect(rulesBroken([done, back], [flushed])).toEqual(['turned-back'])
    expect(rulesBroken([done, back], [flushed, disturbance(['blinds'], 'b')])).toEqual([])
    expect(rulesBroken([done, back], [disturbance(['blinds'], 'b')])).toEqual(['turned-back'])
  })

  it('does not pass a record in which no client changed its replica', () => {
    const rules = { window: CALM_WINDOW, roams: true }
    const still = recordOf([])
    expect(check(still, rules).map(({ rule }) => rule)).toEqual([
      'nothing-to-check',
      'nothing-to-check',
    ])
    const moved = {
      ...recordOf([shown('done', 'a', 300), shown('done', 'b', 400, { via: 'read' })]),
      returns: [{ client: 'client', keys: [key], replica: 'b', at: 350 }],
    }
    expect(check(moved, rules)).toEqual([])
  })
})
