import { busiestWindow } from '../windows.ts'
import { type PollRules, pollFaults } from './poll-checker.ts'
import {
  type FleetRecord,
  isFinalState,
  type Said,
  type Sighting,
  type Violation,
} from './record.ts'

/** Decides over what happened in a fleet. */
export interface Rules {
  /** Calls that lemlist may count in a window of so many ms. */
  readonly window: { readonly calls: number; readonly ms: number }
  /** How long after lemlist ended it each follower has a final; absent where faults delay it. */
  readonly finalWithinMs?: number
  /** What a read may lag behind lemlist, unless it is marked; absent where faults delay it. */
  readonly readLagMs?: number
  readonly polls?: PollRules
}

/** While nothing is broken: 16 in 2 s, of which the way to lemlist may take 100 ms. */
export const CALM_WINDOW = { calls: 16, ms: 1_900 }
/** In whatever fault: what lemlist itself allows. */
export const FAULT_WINDOW = { calls: 20, ms: 2_000 }

type Judge = (record: FleetRecord, rules: Rules) => Violation[]

const scriptOf = (record: FleetRecord): ReadonlyMap<string, readonly Said[]> =>
  Map.groupBy(record.said, ({ key }) => key)

const shown = ({ client, key, replica, via, state, at, stale }: Sighting): string =>
  `${client} by ${via} of ${key} on ${replica} at ${Math.round(at)}: ${stale ? 'stale ' : ''}${state}`

/** A check that saw nothing has found nothing out. */
const judgeSubstance: Judge = ({ said, sightings, follows, calls }) =>
  Object.entries({ said, sightings, follows, calls })
    .filter(([, entries]) => entries.length === 0)
    .map(([name]) => ({ rule: 'nothing-to-check', detail: `no ${name}` }))

/** Every follower is shown the end of every export that has one, and soon. */
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

/** Nothing but what lemlist said of this very export, not before it said so, and one version a body. */
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

/**
 * A replica that is cut off from all others shows what it last heard, and says that it is old: that
 * takes nothing back.
 */
const isExcused = ({ stale, at }: Sighting, { disturbances }: FleetRecord): boolean =>
  stale && disturbances.some(({ blinds, from, to }) => blinds && at >= from && at <= to)

/** After a final nothing else, wherever; on one connection nothing older. */
const judgeOrder: Judge = (record) => {
  const script = scriptOf(record)
  const place = ({ key, body }: Sighting): number =>
    script.get(key)?.findIndex((one) => one.body === body) ?? -1
  const sightings = record.sightings.filter((sighting) => !isExcused(sighting, record))
  const ways = Map.groupBy(sightings, ({ client, key }) => `${client} ${key}`)
  return [...ways.values()].flatMap((way) => {
    const found: Violation[] = []
    let final: Sighting | undefined
    let before: Sighting | undefined
    for (const sighting of way) {
      const older = before?.turn === sighting.turn && place(sighting) < place(before)
      if ((final !== undefined && final.body !== sighting.body) || older) {
        const after = final ?? before
        found.push({
          rule: 'step-back',
          detail: `${shown(sighting)} after ${after && shown(after)}`,
        })
      }
      if (isFinalState(sighting.state)) final ??= sighting
      before = sighting
    }
    return found
  })
}

/** A read says what lemlist says now, or that it does not. */
const judgeReads: Judge = (record, { readLagMs }) => {
  if (readLagMs === undefined) return []
  const script = scriptOf(record)
  return record.sightings.flatMap((sighting): Violation[] => {
    const { key, body, askedAt, stale, via } = sighting
    if (stale || via === 'stream') return []
    const lines = script.get(key) ?? []
    const next = lines[lines.findIndex((one) => one.body === body) + 1]
    // Whatever lemlist says of an export after its end counts for nothing.
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

export const check: Judge = (record, rules) =>
  [
    judgeSubstance,
    judgeFinals,
    judgeTruth,
    judgeOrder,
    judgeReads,
    judgeRefusals,
    judgeWindow,
    judgePolls,
  ].flatMap((judge) => judge(record, rules))
