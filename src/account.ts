import type { Config } from './config/config.ts'
import { createFiles, type Files } from './exports/downloading/files.ts'
import { isPending } from './exports/export.ts'
import { createAlarm } from './exports/following/alarm.ts'
import { createFollower } from './exports/following/follower.ts'
import { createTracker, type Tracker } from './exports/following/tracker.ts'
import type { Observer, Store } from './exports/ports.ts'
import { createCache } from './exports/reading/cache.ts'
import { createLatest } from './exports/reading/latest.ts'
import { createLooker } from './exports/reading/looker.ts'
import { createReader, type Reader } from './exports/reading/reader.ts'
import { createStarter, type Starter } from './exports/starting/starter.ts'
import { createHub } from './exports/watching/hub.ts'
import { createWatch, type Watch } from './exports/watching/watch.ts'
import { createLemlist } from './lemlist/client.ts'
import { FILE_SOCKETS } from './lemlist/connection.ts'
import { fileBases } from './lemlist/file.ts'
import { patienceOf, pollPlaces } from './lemlist/limits.ts'

/** The parts of the gateway that serve the exports of one lemlist account. */
export interface Account {
  readonly reader: Reader
  readonly watch: Watch
  readonly starter: Starter
  readonly files: Files
  readonly tracker: Tracker
  /** Ends all calls to lemlist and stops the heartbeat timer. */
  close(): Promise<void>
}

interface AccountOptions {
  readonly name: string
  /** Returns the current lemlist key, which may change while the gateway runs. */
  readonly apiKey: () => string
  readonly config: Config
  readonly store: Store
  readonly observer: Observer
}

/** Builds the domain of one lemlist account. Each object uses only objects built above it. */
export const createAccount = (options: AccountOptions): Account => {
  const { name, apiKey, config, store, observer } = options
  const { results, schedule, updates, budget, idempotency } = store
  const { lemlist, fileTtlMs, exportTtlMs, poll: intervals, sse } = config
  const { baseUrl, timeoutMs } = lemlist
  const patience = patienceOf(timeoutMs, budget)
  const { patienceMs } = patience

  // Upstream: every call to lemlist goes through the waiting line.
  const upstream = createLemlist({ account: name, baseUrl, apiKey, budget, timeoutMs, fileTtlMs })

  // Following: decides when the gateway looks at an export again.
  const hub = createHub()
  const { isWatched } = hub
  const alarm = createAlarm()
  const follower = createFollower({
    ...{
      schedule,
      results,
      updates,
      observer,
      alarm,
      intervals,
      isWatched,
      exportTtlMs,
      fileTtlMs,
    },
    watchedForMs: 2 * sse.heartbeatMs,
  })

  // Reading: answers callers from the cache or from lemlist.
  const latest = createLatest()
  const cache = createCache({ results, latest, observer, fileTtlMs })
  const looker = createLooker({ upstream, cache, updates, observer })
  const reader = createReader({ cache, looker, follower, ...patience })
  const tracker = createTracker({
    ...{ schedule, looker, follower, alarm, observer },
    places: pollPlaces(lemlist.calls),
    longestTurnMs: intervals.maxIntervalMs,
  })

  // Watching, starting and downloading.
  const watch = createWatch({ hub, reader, cache, follower, results, observer, intervals })
  const starting = { upstream, idempotency, follower, observer, patienceMs, timeoutMs }
  const starter = createStarter(starting)
  const files = createFiles({
    ...{ reader, upstream, intervals, patienceMs },
    bases: fileBases(baseUrl),
    maxOpen: FILE_SOCKETS,
  })

  // This closes the loop: an update that any replica publishes reaches everybody who watches the
  // export on this replica.
  updates.listen((ref, update) => {
    if (update.kind === 'status' && isPending(update.snapshot)) latest.set(ref, update.snapshot)
    hub.dispatch(ref, update)
  })
  store.listen?.({ switched: () => void watch.rejoin(), missed: () => void watch.renew() })
  const heartbeat = setInterval(() => void watch.renew(), sse.heartbeatMs)

  const close = async (): Promise<void> => {
    clearInterval(heartbeat)
    await upstream.close()
  }
  return { reader, watch, starter, files, tracker, close }
}
