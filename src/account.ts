import type { Config } from './config/config.ts'
import type { Bounds } from './exports/bounds.ts'
import { createFiles, type Files } from './exports/downloading/files.ts'
import { isFinal, isPending } from './exports/export.ts'
import { createAlarm } from './exports/following/alarm.ts'
import { createAttendance } from './exports/following/attendance.ts'
import { createFollower } from './exports/following/follower.ts'
import { createTracker, type Tracker } from './exports/following/tracker.ts'
import type { Observer, Store, UpdateListener, Upstream } from './exports/ports.ts'
import { createAllowances } from './exports/reading/allowances.ts'
import { createCache } from './exports/reading/cache.ts'
import { type CampaignList, createCampaignList } from './exports/reading/campaign-list.ts'
import { createGate } from './exports/reading/gate.ts'
import { createLatest } from './exports/reading/latest.ts'
import { createLooker } from './exports/reading/looker.ts'
import { createReader, type Reader } from './exports/reading/reader.ts'
import type { Claim } from './exports/schedule.ts'
import { createStarter, type Starter } from './exports/starting/starter.ts'
import { createArrivals } from './exports/watching/arrivals.ts'
import { type CampaignWatch, createCampaignWatch } from './exports/watching/campaign-watch.ts'
import { createHub } from './exports/watching/hub.ts'
import { createOpening } from './exports/watching/opening.ts'
import { createOverview, type Overview } from './exports/watching/overview.ts'
import { createUpkeep } from './exports/watching/upkeep.ts'
import { createWatch, type Watch } from './exports/watching/watch.ts'
import { FILE_SOCKETS } from './lemlist/connection.ts'
import { fileBases } from './lemlist/file.ts'
import { budgetLimits, patienceOf, pollPlaces, pollStandMs } from './lemlist/limits.ts'
import type { Spans } from './telemetry/spans.ts'

/** The parts of the gateway that serve the exports of one lemlist account. */
export interface Account {
  readonly reader: Reader
  readonly campaigns: CampaignList
  readonly watch: Watch
  readonly campaignWatch: CampaignWatch
  readonly starter: Starter
  readonly files: Files
  readonly tracker: Tracker
  /** Tells everybody who watches the export on this replica. */
  readonly hear: UpdateListener
  /** All exports that the account follows, for operators. */
  readonly followed: Overview['followed']
  /** Called when the store has begun to use another schedule. */
  rejoin(): void
  /** Called when updates of other replicas may have been lost. */
  renew(): void
  /** Aborted when the account is closed. Nobody is told anything of its exports after that. */
  readonly closed: AbortSignal
  /** Stops the heartbeat timer. */
  close(): void
}

interface AccountOptions {
  readonly name: string
  /** The client of lemlist for this account. Its calls stand in the waiting line of the account. */
  readonly upstream: Upstream
  readonly config: Config
  readonly store: Store
  readonly observer: Observer
  readonly spans?: Spans | undefined
  /** Whether reads may ask lemlist now. Default: always. */
  readonly mayLook?: (() => boolean) | undefined
  readonly bounds?: Bounds | undefined
  /** Returns a number from 0 up to, but not including, 1, to spread the looks. Default: `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** Builds the domain of one lemlist account. Each object uses only objects built above it. */
export const createAccount = (options: AccountOptions): Account => {
  const { name, upstream, config, store, observer, spans, mayLook, bounds } = options
  const { random = Math.random } = options
  const { results, updates, budget, idempotency } = store
  const schedule = store.schedule(name)
  const { lemlist, fileTtlMs, exportTtlMs, poll: intervals, sse } = config
  const { baseUrl, timeoutMs } = lemlist
  const patience = patienceOf(timeoutMs, budget)
  const { patienceMs } = patience

  // Following: decides when the gateway looks at an export again.
  const hub = createHub()
  const { isWatched } = hub
  const alarm = createAlarm()
  const polling = { schedule, alarm, observer, intervals, isWatched, random }
  const attendance = createAttendance(polling)
  const lives = { exportTtlMs, fileTtlMs }
  const follower = createFollower({ ...polling, ...lives, results, updates })

  // Reading: answers callers from the cache or from lemlist.
  const latest = createLatest(undefined, undefined, bounds)
  const { followedSince } = follower
  const cache = createCache({ results, latest, observer, fileTtlMs, followedSince, bounds })
  const looker = createLooker({ upstream, cache, updates, observer })
  const isAlone = (): boolean => store.isAway?.() === true
  const allowances = createAllowances(budgetLimits(lemlist), undefined, bounds)
  const gate = createGate(allowances, undefined, bounds)
  const reading = { cache, looker, follower, gate, isAlone, mayLook, bounds }
  const reader = createReader({ ...reading, ...patience })
  const campaigns = createCampaignList({ schedule, results, latest, observer, fileTtlMs })
  const tracker = createTracker({
    ...{ schedule, looker, follower, alarm, observer, isWatched },
    pausedMs: () => budget.pausedMs(name),
    places: pollPlaces(lemlist.calls),
    standMs: pollStandMs(timeoutMs),
    longestTurnMs: intervals.maxIntervalMs,
    inSpan: spans && pollsOf(spans),
  })

  // Watching: tells everybody who watches an export what changes.
  const arrivals = createArrivals({ allowances, attendance, cache, hub })
  const watching = { hub, cache, attendance, arrivals, observer, intervals }
  const opening = createOpening({ ...watching, reader, follower, looker })
  const upkeep = createUpkeep({ ...watching, results })
  const watch = createWatch({ hub, opening, attendance, arrivals, reader, isAlone })

  const campaignWatch = createCampaignWatch(campaigns)

  const overview = createOverview({
    schedule,
    stateOf: (ref) => latest.get(ref)?.snapshot.state,
    watchersOf: hub.watchers,
    bounds,
  })

  // Starting and downloading.
  const starting = { upstream, idempotency, results, follower, observer, patienceMs, timeoutMs }
  const starter = createStarter(starting)
  const files = createFiles({
    ...{ reader, upstream, intervals, patienceMs },
    bases: fileBases(baseUrl),
    maxOpen: FILE_SOCKETS,
    bounds,
  })

  // This closes the loop: the store passes on what any replica publishes, so it reaches everybody
  // who watches the export on this replica.
  const hear: UpdateListener = (ref, update, from) => {
    // A final one, too: the store may lose it, and no pending observation may be shown after it.
    if (update.kind === 'status' && (isPending(update.snapshot) || isFinal(update.snapshot))) {
      latest.set(ref, update.snapshot, from)
    }
    if (update.kind !== 'followed') {
      overview.hear(ref, update)
      hub.dispatch(ref, update, from)
    }
    campaignWatch.hear(ref, update)
  }
  const rejoin = (): void => {
    void upkeep.rejoin()
    void campaignWatch.renew()
  }
  const renew = (): void => {
    void upkeep.renew()
    void campaignWatch.renew()
  }
  const heartbeat = setInterval(renew, sse.heartbeatMs)
  const closing = new AbortController()
  const close = (): void => {
    clearInterval(heartbeat)
    closing.abort()
  }
  const { signal: closed } = closing
  const { followed } = overview
  const serving = { reader, campaigns, watch, campaignWatch, starter, files, followed }
  return { ...serving, tracker, hear, rejoin, renew, closed, close }
}

/** Each poll is a trace of its own, whatever request made the export known. */
const pollsOf =
  (spans: Spans) =>
  async ({ ref, callClass }: Claim, poll: () => Promise<void>): Promise<void> => {
    const span = spans.poll({
      ...{ 'gateway.account': ref.account, 'gateway.class': callClass },
      ...{ 'lemlist.campaign': ref.campaignId, 'lemlist.export': ref.exportId },
    })
    try {
      await span.within(poll)
    } finally {
      span.end({})
    }
  }
