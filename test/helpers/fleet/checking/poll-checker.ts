import {
  type Disturbance,
  type FleetRecord,
  isFinalState,
  type StatusCall,
  type Violation,
} from './record.ts'

/** How often the fleet may ask lemlist for one export, and how often it must. */
export interface PollRules {
  readonly firstMs: number
  readonly intervalMs: number
  readonly maxIntervalMs: number
  readonly replicas: number
  /**
   * How much longer than 1.1 intervals a followed, pending export may go without a call, ms.
   * Absent: there is no limit.
   */
  readonly slackMs?: number
}

/** The time between two successive calls for one export, of which the later one is a poll. */
export interface Gap {
  readonly key: string
  readonly at: number
  readonly ms: number
  /** The poll interval that holds at the age of the export at the earlier call. */
  readonly intervalMs: number
}

const YOUNG_INTERVALS = 6
/** How much the ages of one export at lemlist and at a replica may differ. */
const AGE_SLACK_MS = 300

const intervalAt = (ageMs: number, rules: PollRules): number => {
  // The look after the first one comes when the export is `firstMs` old, not after an interval.
  if (ageMs < rules.firstMs) return Math.max(0, rules.firstMs - ageMs - AGE_SLACK_MS)
  return Math.min(rules.maxIntervalMs, Math.max(rules.intervalMs, ageMs / YOUNG_INTERVALS))
}

const within = (spans: readonly { from: number; to: number }[], at: number): boolean =>
  spans.some(({ from, to }) => at >= from && at <= to)

const callsByKey = ({ calls }: Pick<FleetRecord, 'calls'>): ReadonlyMap<string, StatusCall[]> =>
  Map.groupBy(calls, ({ key }) => key)

/**
 * The gaps before polls while nothing is broken. Calls that a client may have caused, and calls
 * during a disturbance, are left out.
 */
export const pollGaps = (record: FleetRecord, rules: PollRules): Gap[] =>
  [...callsByKey(record)].flatMap(([key, calls]) => {
    const asks = record.asks.filter((ask) => ask.key === key)
    const firstAt = calls[0]?.at ?? 0
    return calls.slice(1).flatMap((call, index): Gap[] => {
      const before = calls[index]
      if (before === undefined || within(asks, call.at)) return []
      if (within(record.disturbances, call.at)) return []
      const intervalMs = intervalAt(before.at - firstAt, rules)
      return [{ key, at: call.at, ms: call.at - before.at, intervalMs }]
    })
  })

/** During a disturbance each replica may poll for itself, at its pace and twice more. */
const disturbed = (record: FleetRecord, rules: PollRules, span: Disturbance): Violation[] => {
  const most = rules.replicas * (2 + Math.ceil((span.to - span.from) / (0.9 * rules.intervalMs)))
  return [...callsByKey(record)].flatMap(([key, calls]): Violation[] => {
    const asks = record.asks.filter((ask) => ask.key === key)
    const polls = calls.filter(({ at }) => within([span], at) && !within(asks, at))
    if (polls.length <= most) return []
    const detail = `${key}: ${polls.length} polls in ${Math.round(span.to - span.from)} ms`
    return [{ rule: 'too-many-polls', detail }]
  })
}

/** The times in which nobody asked lemlist for a pending export with followers for too long. */
const starved = (record: FleetRecord, rules: PollRules, slackMs: number): Violation[] =>
  [...callsByKey(record)].flatMap(([key, calls]) => {
    const followed = record.follows.filter((follow) => follow.key === key)
    const from = Math.min(...followed.map((follow) => follow.from))
    const said = record.said.find((one) => one.key === key && isFinalState(one.state))
    const end = said?.at ?? calls.at(-1)?.at ?? 0
    const firstAt = calls[0]?.at ?? 0
    const times = [...calls.map(({ at }) => at).filter((at) => at < end), end]
    return times.slice(1).flatMap((at, index): Violation[] => {
      const before = times[index] ?? at
      const longest = 1.1 * Math.max(rules.intervalMs, intervalAt(at - firstAt, rules)) + slackMs
      if (before < from || at - before <= longest) return []
      return [{ rule: 'starved', detail: `${key}: no call for ${Math.round(at - before)} ms` }]
    })
  })

export const pollFaults = (record: FleetRecord, rules: PollRules): Violation[] => {
  const tooClose = pollGaps(record, rules)
    .filter(({ ms, intervalMs }) => ms < 0.9 * intervalMs)
    .map(
      ({ key, ms, intervalMs, at }): Violation => ({
        rule: 'polled-twice',
        detail: `${key} at ${Math.round(at)}: ${Math.round(ms)} ms of ${Math.round(intervalMs)}`,
      }),
    )
  const { slackMs } = rules
  return [
    ...tooClose,
    ...record.disturbances.flatMap((span) => disturbed(record, rules, span)),
    ...(slackMs === undefined ? [] : starved(record, rules, slackMs)),
  ]
}
