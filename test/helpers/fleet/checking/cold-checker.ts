import { type Answer, does, type FleetRecord, type Violation } from './record.ts'

/** The budget, of which each replica keeps a part for callers when Redis is lost. */
export interface ColdRules {
  readonly replicas: number
  /** The calls that all replicas together may make in a window while Redis counts them. */
  readonly calls: number
  /** The calls that lemlist allows besides. */
  readonly reserve: number
  readonly windowMs: number
}

/** The budget's window is longer than lemlist's by a 40th, and calls take a little on the way. */
const lengthOf = ({ windowMs }: ColdRules): number => windowMs * 1.025 + 100

/** The reads of exports that no client had asked for before, on a replica that has lost Redis. */
const coldReads = (record: FleetRecord): Answer[] =>
  record.answers.filter(({ key, replica, askedAt }) => {
    const first = Math.min(...record.asks.filter((ask) => ask.key === key).map(({ from }) => from))
    return (
      first === askedAt &&
      record.disturbances.some(
        (one) => does(one, 'loses', replica) && one.from <= askedAt && askedAt <= one.to,
      )
    )
  })

/** Whether a fault other than the loss explains a refusal: a halted replica, or a slow Redis. */
const isHampered = ({ replica, askedAt, at }: Answer, record: FleetRecord): boolean =>
  record.disturbances.some(
    (one) =>
      (does(one, 'halts', replica) || does(one, 'slows', replica)) &&
      one.from <= at &&
      one.to >= askedAt,
  )

/**
 * Whether the replica had a call left for this read: it had not yet made the calls of its part of
 * the reserve, nor had all replicas together spent the budget. A replica that was restarted counts
 * twice for the others, until they have not heard of its former process for long enough.
 */
const hadCallLeft = (read: Answer, record: FleetRecord, rules: ColdRules): boolean => {
  const { replica, askedAt, at } = read
  const restarts = record.disturbances.filter(
    ({ effects, from }) => effects.includes('restarts') && from <= at,
  )
  const part = Math.floor(rules.reserve / (rules.replicas + restarts.length))
  const recent = record.calls.filter(
    (call) => call.at >= askedAt - lengthOf(rules) && call.at <= at,
  )
  // The part may have been spent after an earlier loss, which may have been shorter.
  const lostAt = record.disturbances
    .filter((one) => does(one, 'blinds', replica) && one.from <= askedAt)
    .map(({ from }) => from)
  const own = recent.filter((call) => call.replica === replica && call.at >= Math.min(...lostAt))
  return own.length < part && recent.length < rules.calls
}

/** The cold reads that the gateway had to answer, and those of them that it refused. */
export const judgedColdReads = (record: FleetRecord, rules: ColdRules) => {
  const reads = coldReads(record).filter((read) => !isHampered(read, record))
  const refused = reads.filter(({ status, code }) => status !== 200 && code === 'budget-exhausted')
  const needlessly = refused.filter((read) => hadCallLeft(read, record, rules))
  const answered = reads.filter(({ status }) => status === 200)
  return { judged: answered.length + needlessly.length, needlessly }
}

const wasLostByOneThatAnswers = ({ calls, disturbances }: FleetRecord): boolean => {
  const replicas = [...new Set(calls.map(({ replica }) => replica))]
  return disturbances.some((loss) =>
    replicas.some(
      (replica) =>
        does(loss, 'loses', replica) &&
        !disturbances.some(
          (one) => does(one, 'halts', replica) && one.from <= loss.to && one.to >= loss.from,
        ),
    ),
  )
}

/**
 * After a loss of Redis, a read of an export that nobody has read may be refused only when the
 * replica has spent its part of the reserve. A record in which Redis was lost and no such read was
 * made proves nothing.
 */
export const coldFaults = (record: FleetRecord, rules: ColdRules): Violation[] => {
  const isEmpty = wasLostByOneThatAnswers(record) && coldReads(record).length === 0
  const nothing = { rule: 'nothing-to-check', detail: 'no cold reads' } as const
  return [
    ...(isEmpty ? [nothing] : []),
    ...judgedColdReads(record, rules).needlessly.map(
      ({ client, replica, askedAt, at }): Violation => ({
        rule: 'cold-refused',
        detail: `${client} on ${replica} at ${Math.round(at)}, after ${Math.round(at - askedAt)} ms`,
      }),
    ),
  ]
}
