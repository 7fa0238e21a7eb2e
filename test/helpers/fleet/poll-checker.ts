import {
  type Disturbance,
  type FleetRecord,
  isFinalState,
  type StatusCall,
  type Violation,
} from './record.ts'

/** How often lemlist may be asked for one export, and how often it must be. */
export interface PollRules {
  readonly firstMs: number
  readonly intervalMs: number
  readonly maxIntervalMs: number
  readonly replicas: number
  /** The longest time without a poll of what is watched and pending, beyond 1.1 intervals; absent = any. */
  readonly slackMs?: number
}

/** One pair of calls for one export, the later of which nobody asked for: polls. */
export interface Gap {
  readonly key: string
  readonly at: number
  readonly ms: number
  /** What the interval was after the earlier one. */
  readonly intervalMs: number
}

const YOUNG_INTERVALS = 6
/** What an export's age at lemlist and at a replica may differ by. */
const AGE_SLACK_MS = 300

const intervalAt = (ageMs: number, rules: PollRules): number => {
  // The look that follows the first comes at a time of its own.
  if (ageMs < rules.firstMs) return Math.max(0, rules.firstMs - ageMs - AGE_SLACK_MS)
  return Math.min(rules.maxIntervalMs, Math.max(rules.intervalMs, ageMs / YOUNG_INTERVALS))
}

const within = (spans: readonly { from: number; to: number }[], at: number): boolean =>
  spans.some(({ from, to }) => at >= from && at <= to)

const callsByKey = ({ calls }: Pick<FleetRecord, 'calls'>): ReadonlyMap<string, StatusCall[]> =>
  Map.groupBy(calls, ({ key }) => key)

/** The gaps before polls, in calm: what a client asked for and what a take-over repeats is left out. */
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

/** While something is broken each replica may poll for itself what it watches: at its pace, and once more. */
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

/** What was pending and followed for longer than an interval without anybody asking lemlist. */
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
