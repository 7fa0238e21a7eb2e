import { busiestWindow } from '../../windows.ts'
import { type ColdRules, coldFaults } from './cold-checker.ts'
import { type PollRules, pollFaults } from './poll-checker.ts'
import { type FleetRecord, isFinalState, scriptOf, shown, type Violation } from './record.ts'
import { stepsBack, turnsBack } from './turn-checker.ts'

/** The rules by which the checker judges the record of a fleet. */
export interface Rules {
  /** How many calls lemlist may count in a window of so many milliseconds. */
  readonly window: { readonly calls: number; readonly ms: number }
  /** How soon after lemlist's final status each follower must be shown one. Absent: no limit. */
  readonly finalWithinMs?: number
  /** How far a read that is not marked as stale may lag behind lemlist, ms. Absent: no limit. */
  readonly readLagMs?: number
  readonly polls?: PollRules
  /**
   * Clients change replicas in this record. A record in which no client was told something on one
   * replica and then came to another one breaks the rule, because it proves nothing.
   */
  readonly roams?: boolean
  /** What a read of an export that nobody has read may expect after Redis was lost. */
  readonly cold?: ColdRules
}

const WINDOW_MS = 2_000
/**
 * The limit while nothing is broken. The gateway makes 16 calls in a window, and a call may need up
 * to 100 ms to reach lemlist.
 */
export const calmWindow = (windowMs: number = WINDOW_MS): Rules['window'] => ({
  calls: 16,
  ms: windowMs - 100,
})
export const CALM_WINDOW = calmWindow()
/** The limit during any fault: lemlist's own. */
export const FAULT_WINDOW = { calls: 20, ms: WINDOW_MS }

type Judge = (record: FleetRecord, rules: Rules) => Violation[]

/** A record without entries proves nothing, so it is a violation itself. */
const judgeSubstance: Judge = ({ said, sightings, follows, calls }) =>
  Object.entries({ said, sightings, follows, calls })
    .filter(([, entries]) => entries.length === 0)
    .map(([name]) => ({ rule: 'nothing-to-check', detail: `no ${name}` }))

/** Every follower must be shown the final status of every export that has one, and soon enough. */
const judgeFinals: Judge = (record, { finalWithinMs }) => {
  const script = scriptOf(record)
  const seen = Map.groupBy(
    record.sightings.filter(({ via, state }) => via === 'stream' && isFinalState(state)),
    ({ client, key }) => `${client} ${key}`,
  )
  return record.follows.flatMap(({ client, key, from }): Violation[] => {
    const final = script.get(key)?.find(({ state }) => isFinalState(state))
    if (final === undefined) return []
    const [first] = seen.get(`${client} ${key}`) ?? []
    const detail = `${client} of ${key}`
    if (first === undefined) return [{ rule: 'final-lost', detail }]
    const tookMs = first.at - Math.max(final.at, from)
    if (finalWithinMs === undefined || tookMs <= finalWithinMs) return []
    return [{ rule: 'final-late', detail: `${detail}: ${Math.round(tookMs)} ms` }]
  })
}

/**
 * A client may be shown only bodies that lemlist sent for this export, and not before lemlist sent
 * them. The same body must have the same version everywhere.
 */
const judgeTruth: Judge = (record) => {
  const script = scriptOf(record)
  const sources = Map.groupBy(record.said, ({ body }) => body)
  const versions = new Map<string, string>()
  return record.sightings.flatMap((sighting): Violation[] => {
    const { key, body, version, at } = sighting
    const detail = shown(sighting)
    const known = versions.get(body) ?? version
    if (known !== undefined) versions.set(body, known)
    if (version !== undefined && known !== version) return [{ rule: 'two-versions', detail }]
    const said = script.get(key)?.find((one) => one.body === body)
    if (said !== undefined && said.at <= at) return []
    return [{ rule: sources.has(body) && said === undefined ? 'foreign' : 'never-said', detail }]
  })
}

/** A read must show what lemlist says now, or be marked as stale. */
const judgeReads: Judge = (record, { readLagMs }) => {
  if (readLagMs === undefined) return []
  const script = scriptOf(record)
  return record.sightings.flatMap((sighting): Violation[] => {
    const { key, body, askedAt, stale, via } = sighting
    if (stale || via === 'stream') return []
    const lines = script.get(key) ?? []
    const next = lines[lines.findIndex((one) => one.body === body) + 1]
    // Nothing replaces a final status, so one cannot be out of date.
    if (next === undefined || isFinalState(sighting.state)) return []
    const lagMs = askedAt - next.at
    const detail = `${shown(sighting)}, ${Math.round(lagMs)} ms behind`
    return lagMs > readLagMs ? [{ rule: 'out-of-date', detail }] : []
  })
}

const judgeRefusals: Judge = ({ refusals }) =>
  refusals.map(({ client, status, replica }) => ({
    rule: 'refused',
    detail: `${client} on ${replica}: ${status}`,
  }))

const judgeWindow: Judge = ({ calls }, { window }) => {
  const times = calls.map(({ at }) => at)
  const most = busiestWindow(times, window.ms)
  return most > window.calls ? [{ rule: 'window', detail: `${most} calls in ${window.ms} ms` }] : []
}

const judgePolls: Judge = (record, { polls }) =>
  polls === undefined ? [] : pollFaults(record, polls)

const judgeOrder: Judge = (record) => stepsBack(record)

const judgeTurns: Judge = (record, { roams = false }) => turnsBack(record, roams)

const judgeColdReads: Judge = (record, { cold }) =>
  cold === undefined ? [] : coldFaults(record, cold)

export const check: Judge = (record, rules) =>
  [
    judgeSubstance,
    judgeFinals,
    judgeTruth,
    judgeOrder,
    judgeTurns,
    judgeReads,
    judgeRefusals,
    judgeWindow,
    judgePolls,
    judgeColdReads,
  ].flatMap((judge) => judge(record, rules))
