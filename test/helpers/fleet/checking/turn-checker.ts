import {
  type Disturbance,
  does,
  type FleetRecord,
  isFinalState,
  type Sighting,
  scriptOf,
  shown,
  type Violation,
} from './record.ts'

/**
 * The rules of what a client may be shown after what it was shown before. On one replica an older
 * status is a step back. On another replica it is a status that turned back.
 */

/** A client was shown the final status. Later it asked again and was shown `next`. */
interface Turn {
  readonly final: Sighting
  readonly next: Sighting
}

/** How long a replica may need to notice that Redis does not answer, milliseconds. */
const NOTICE_MS = 500
/** A loss that lasts longer is noticed by every replica, even by one that has nothing to do. */
const SURELY_NOTICED_MS = 1_800

const waysOf = ({ sightings }: FleetRecord): ReadonlyMap<string, readonly Sighting[]> =>
  Map.groupBy(sightings, ({ client, key }) => `${client} ${key}`)

/** An answer to a request that was sent before the client was shown the final proves nothing. */
const isLater = (next: Sighting, before: Sighting): boolean =>
  next !== before && next.at >= before.at && (next.turn === before.turn || next.askedAt > before.at)

const turnsAfterFinals = (record: FleetRecord): Turn[] =>
  [...waysOf(record).values()].flatMap((way): Turn[] => {
    const final = way.find(({ state }) => isFinalState(state))
    if (final === undefined) return []
    return way.filter((next) => isLater(next, final)).map((next) => ({ final, next }))
  })

const overlaps = ({ from, to }: Disturbance, since: number, until: number): boolean =>
  from <= until && to >= since

/**
 * Whether the replica was without Redis, and had time to notice that, or has had it again for a
 * short time only. Then it knows that others may know more. When the loss was too short to be
 * noticed, or when another fault may have given Redis back, nothing is sure.
 */
const knowsItIsAlone = ({ replica, askedAt, at }: Sighting, record: FleetRecord): boolean => {
  const hits = record.disturbances.filter((one) => does(one, 'blinds', replica))
  const restarts = record.disturbances.filter((one) => does(one, 'restarts', replica))
  return hits.some((loss) => {
    if (!does(loss, 'loses', replica) || loss.from + NOTICE_MS > askedAt) return false
    if (restarts.some((one) => overlaps(one, loss.from, at))) return false
    if (hits.some((one) => one !== loss && overlaps(one, loss.from, at))) return false
    const isOver = at > loss.endedAt
    return isOver ? at <= loss.to && loss.endedAt - loss.from > SURELY_NOTICED_MS : true
  })
}

/**
 * Whether the replica of `next` could not know what the replica of `before` had shown. Either that
 * one may have been without Redis. Or Redis has lost what it held, and the replica of `next` may
 * not have heard the message.
 *
 * @param since when lemlist said what the client was shown before
 */
const couldNotKnow = (
  { before, next }: { before: Sighting; next: Sighting },
  since: number,
  { disturbances }: FleetRecord,
): boolean => {
  const during = disturbances.filter((one) => overlaps(one, since, next.at))
  const isEmptied = during.some((one) => does(one, 'empties', next.replica))
  return during.some(
    (one) =>
      does(one, 'blinds', before.replica) || (isEmptied && does(one, 'blinds', next.replica)),
  )
}

/**
 * A client may be shown an old status by a replica that could not know of the newer one. A read
 * must then be marked as stale. A replica that knows that others may know more has no such excuse,
 * unless the client does not say that it comes back: it opens a stream without an id.
 */
const isExcused = (
  { before, next }: { before: Sighting; next: Sighting },
  record: FleetRecord,
): boolean => {
  if (isFinalState(next.state) || (next.via === 'read' && !next.stale)) return false
  const comesBack = record.returns.some(
    ({ client, at }) => client === next.client && at === next.askedAt,
  )
  const isKnown = next.via === 'read' || before.via === 'stream' || comesBack
  if (isKnown && knowsItIsAlone(next, record)) return false
  const said = record.said.find(({ key, body }) => key === before.key && body === before.body)
  return couldNotKnow({ before, next }, said?.at ?? before.at, record)
}

const fault = (rule: 'step-back' | 'turned-back', before: Sighting, next: Sighting): Violation => ({
  rule,
  detail: `${shown(next)} after ${shown(before)}`,
})

const placesIn = (record: FleetRecord): ((sighting: Sighting) => number) => {
  const script = scriptOf(record)
  return ({ key, body }) => script.get(key)?.findIndex((one) => one.body === body) ?? -1
}

const lostFinals = (record: FleetRecord): Turn[] =>
  turnsAfterFinals(record).filter(
    ({ final, next }) => next.body !== final.body && !isExcused({ before: final, next }, record),
  )

/** The statuses on a connection that are older than the one before on the same connection. */
const olderOnOneConnection = (record: FleetRecord): Violation[] => {
  const place = placesIn(record)
  return [...waysOf(record).values()].flatMap((way) =>
    [...Map.groupBy(way, ({ turn }) => turn).values()].flatMap((shownThere) =>
      shownThere.flatMap((next, index): Violation[] => {
        const before = shownThere[index - 1]
        if (before === undefined || place(next) >= place(before)) return []
        return isFinalState(before.state) ? [] : [fault('step-back', before, next)]
      }),
    ),
  )
}

/** Progress that a follower was shown after newer progress, since it came back with its last id. */
const olderProgress = (record: FleetRecord): Violation[] => {
  const place = placesIn(record)
  return [...waysOf(record).values()].flatMap((way) => {
    const told = way.filter(({ via, state }) => via === 'stream' && !isFinalState(state))
    return told.flatMap((next): Violation[] => {
      const newer = told.find(
        (before) =>
          before.turn !== next.turn &&
          isLater(next, before) &&
          place(before) > place(next) &&
          !isExcused({ before, next }, record),
      )
      return newer === undefined ? [] : [fault('turned-back', newer, next)]
    })
  })
}

/** What a client was shown on a replica that is older than what this replica showed it before. */
export const stepsBack = (record: FleetRecord): Violation[] => [
  ...lostFinals(record)
    .filter(({ final, next }) => next.replica === final.replica)
    .map(({ final, next }) => fault('step-back', final, next)),
  ...olderOnOneConnection(record),
]

/** How often a client that had been shown the end on one replica came to another, by each way. */
export const countTurns = (record: FleetRecord): { reads: number; returns: number } => {
  const reads = turnsAfterFinals(record).filter(
    ({ final, next }) => next.via === 'read' && next.replica !== final.replica,
  )
  const ways = waysOf(record)
  const returns = record.returns.filter(({ client, keys, replica, at }) =>
    keys.some((key) => {
      const final = ways.get(`${client} ${key}`)?.find(({ state }) => isFinalState(state))
      return final !== undefined && final.at <= at && final.replica !== replica
    }),
  )
  return { reads: reads.length, returns: returns.length }
}

const missingTurns = (counts: Readonly<Record<string, number>>): Violation[] =>
  Object.entries(counts)
    .filter(([, count]) => count === 0)
    .map(([name]) => ({ rule: 'nothing-to-check', detail: `no ${name} on another replica` }))

/**
 * What a client was shown on one replica that is older than what another replica had shown it.
 *
 * @param roams whether the record must contain clients that change replicas, by reads and by streams
 */
export const turnsBack = (record: FleetRecord, roams: boolean): Violation[] => [
  ...(roams ? missingTurns(countTurns(record)) : []),
  ...lostFinals(record)
    .filter(({ final, next }) => next.replica !== final.replica)
    .map(({ final, next }) => fault('turned-back', final, next)),
  ...olderProgress(record),
]
