import { describe, expect, it } from 'vitest'
import { coldFaults, judgedColdReads } from '../helpers/fleet/checking/cold-checker.ts'
import {
  createRecorder,
  type Disturbance,
  type FleetRecord,
} from '../helpers/fleet/checking/record.ts'

const RULES = { replicas: 3, calls: 16, reserve: 4, windowMs: 2_000 }

const fault = (effects: Disturbance['effects'], replica?: string, from = 5_000): Disturbance => ({
  ...{ what: 'a fault', effects, replica },
  ...{ from, endedAt: from + 2_000, to: from + 6_000 },
})
const LOSS = fault(['blinds', 'loses'])

interface Given {
  readonly status?: number
  readonly code?: string
  readonly calls?: FleetRecord['calls']
  readonly disturbances?: readonly Disturbance[]
  readonly asks?: FleetRecord['asks']
}

/** A read on replica `a`, 100 ms after the loss, which is refused 300 ms later. */
const recordOf = (given: Given = {}): FleetRecord => {
  const { status = 503, code = 'budget-exhausted', calls = [], disturbances = [LOSS] } = given
  const at = { askedAt: 5_100, at: 5_400 }
  return {
    ...createRecorder(),
    answers: [{ client: 'cold', key: 'cold', replica: 'a', status, code, ...at }],
    asks: [{ key: 'cold', from: 5_100, to: 5_400 }, ...(given.asks ?? [])],
    calls: [{ key: 'other', replica: 'b', at: 4_900 }, ...calls],
    disturbances,
  }
}

const rulesBroken = (given?: Given) => coldFaults(recordOf(given), RULES).map(({ rule }) => rule)

describe('the checker of cold reads after a loss of Redis', () => {
  it('catches a read that is refused while the replica has made no call', () => {
    expect(rulesBroken()).toEqual(['cold-refused'])
  })

  it('passes one that is answered, and counts it as judged', () => {
    expect(rulesBroken({ status: 200 })).toEqual([])
    expect(judgedColdReads(recordOf({ status: 200 }), RULES).judged).toBe(1)
  })

  it('passes one that failed at lemlist', () => {
    expect(rulesBroken({ status: 504, code: 'upstream-timeout' })).toEqual([])
  })

  it('passes a refusal when the replica has spent its part, after this loss or one before', () => {
    const call = { key: 'x', replica: 'a', at: 5_050 }
    expect(rulesBroken({ calls: [call] })).toEqual([])
    const early = { calls: [{ ...call, at: 4_000 }] }
    expect(rulesBroken(early)).toEqual(['cold-refused'])
    const twice = [fault(['blinds'], 'a', 3_900), LOSS]
    expect(rulesBroken({ ...early, disturbances: twice })).toEqual([])
  })

  // Regression: the replica had spent its part when the read came. It had it again while the read waited.
  it('passes a refusal when the replica had spent its part as the read came', () => {
    const calls = [{ key: 'x', replica: 'a', at: 5_100 - 2_100 }]
    const disturbances = [fault(['blinds'], 'a', 2_900), LOSS]
    expect(rulesBroken({ calls, disturbances })).toEqual([])
  })

  it('passes a refusal when all together have spent the budget', () => {
    const calls = Array.from({ length: 15 }, () => ({ key: 'x', replica: 'b', at: 4_800 }))
    expect(rulesBroken({ calls })).toEqual([])
  })

  it('passes a refusal when so many restarts leave no whole call to a replica', () => {
    const once = [LOSS, fault(['restarts'], 'b', 1_000)]
    expect(rulesBroken({ disturbances: once })).toEqual(['cold-refused'])
    const twice = [...once, fault(['restarts'], 'c', 1_000)]
    expect(rulesBroken({ disturbances: twice })).toEqual([])
  })

  it('does not judge a replica that stood still, or for which Redis was slow', () => {
    for (const effect of ['halts', 'slows'] as const) {
      const other = recordOf({ disturbances: [LOSS, fault([effect], 'a')] })
      expect(judgedColdReads(other, RULES)).toEqual({ judged: 0, needlessly: [] })
    }
  })

  it('does not take a read for cold when somebody had asked before', () => {
    const asks = [{ key: 'cold', from: 1_000, to: 2_000 }]
    expect(judgedColdReads(recordOf({ asks }), RULES).judged).toBe(0)
  })

  it('does not pass a loss of Redis without a cold read', () => {
    const nothing = { ...recordOf(), answers: [], asks: [] }
    expect(coldFaults(nothing, RULES).map(({ rule }) => rule)).toEqual(['nothing-to-check'])
    expect(coldFaults({ ...nothing, disturbances: [] }, RULES)).toEqual([])
  })
})
