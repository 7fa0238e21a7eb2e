import { createAccount } from '../../../src/account.ts'
import { loadConfig } from '../../../src/config/config.ts'
import { longestAheadMs } from '../../../src/exports/following/poll-policy.ts'
import type { Observer, Store } from '../../../src/exports/ports.ts'
import { SOCKETS } from '../../../src/lemlist/connection.ts'
import { budgetLimits, claimMs } from '../../../src/lemlist/limits.ts'
import { openStore } from '../../../src/store/open.ts'
import { createRandom, type Random } from '../random.ts'
import { createPopulation } from './population.ts'
import { type Report, reportOf } from './report.ts'
import { createSharing } from './sharing.ts'
import {
  createVirtualLemlist,
  createVirtualUpstream,
  type VirtualLemlist,
} from './virtual-lemlist.ts'
import { installVirtualTime } from './virtual-time.ts'

/**
 * What happens in a simulation of the poll schedule under load. The simulation runs the gateway's own
 * tracker, waiting line and store on virtual time.
 */
export interface Scenario {
  /** `memory:` or `sqlite:<path>`. Redis does not work, because it has a clock of its own. */
  readonly storeUrl: string
  /** Replicas that share this store. Default 1. */
  readonly replicas?: number
  /** How many exports are watched at a time. */
  readonly watched: number
  /** The median of how long a watched export takes, milliseconds. `Infinity`: none ever ends. */
  readonly medianMs: number
  /** How many pending exports nobody watches. Default 0. */
  readonly idle?: number
  /** The same median for them, milliseconds. Default `Infinity`. */
  readonly idleMedianMs?: number
  /** How many ids that lemlist does not know are watched in the measured time. Default 0. */
  readonly unknown?: number
  /**
   * Whether there is trouble in every minute: lemlist may be slow and may pause the key, and the
   * tracker of one replica may stand still for a while.
   */
  readonly trouble?: boolean
  /** The measured time, milliseconds. The simulation runs as long before it, so that it settles. */
  readonly runMs: number
  readonly seed: number
}

const ACCOUNT = 'default'
const KEY = { LEMLIST_API_KEY: 'simulated' }
/** In this time all calls under way end and all timers fire, milliseconds. */
const END_MS = 30_000

export const simulate = async (scenario: Scenario): Promise<Report> => {
  const random = createRandom(scenario.seed)
  const failures: string[] = []
  const failed = (error: unknown): void => void failures.push(String(error))
  let underWay = 0
  const time = installVirtualTime(() => underWay > 0)
  const config = loadConfig({ ...KEY, STORE_URL: scenario.storeUrl })
  const { lemlist: limits, poll, sse, fileTtlMs } = config
  const observer = observerInto(failures)
  const opened = await openStore(scenario.storeUrl, {
    limits: budgetLimits(limits),
    reserve: limits.reserve,
    visibilityMs: claimMs(limits.timeoutMs),
    watchMs: 2 * sse.heartbeatMs,
    scheduleLimits: { longestAheadMs: longestAheadMs(poll) },
    storeFailed: observer.storeFailed,
  })
  const store = countingStore(opened, (change) => {
    underWay += change
  })
  await store.ready?.()
  const lemlist = createVirtualLemlist({
    ...{ random, fileTtlMs },
    found: (exportId) => population.found(exportId),
  })
  const sharing = createSharing(store)
  const replicas = Array.from({ length: scenario.replicas ?? 1 }, () => {
    const line = { lemlist, budget: store.budget, account: ACCOUNT, maxRunning: SOCKETS }
    const upstream = createVirtualUpstream({ ...line, random })
    const own = sharing.replica()
    const account = createAccount({
      ...{ name: ACCOUNT, upstream, config, store: own, observer },
      // Without it no two runs are the same, and a rare one fails.
      random: random.next,
    })
    own.updates.listen(account.hear)
    own.listen?.({ switched: account.rejoin, missed: account.renew })
    return { upstream, ...account }
  })
  const population = createPopulation({
    ...{ account: ACCOUNT, random, failed, lemlist, schedule: store.schedule(ACCOUNT) },
    watches: replicas.map(({ watch }) => watch),
    medianMs: scenario.medianMs,
    idleMedianMs: scenario.idleMedianMs ?? Number.POSITIVE_INFINITY,
    idleIntervalMs: poll.idleIntervalMs,
  })
  const trackers = replicas.map(({ tracker }) => tracker)

  /** Lets time pass. It makes trouble in every minute when the scenario asks for that. */
  const pass = async (ms: number): Promise<void> => {
    if (scenario.trouble !== true) return time.pass(ms)
    for (const end = Date.now() + ms; Date.now() < end; ) {
      await makeTrouble(random, lemlist, store, trackers)
      await time.pass(Math.min(60_000, end - Date.now()))
    }
  }

  try {
    await population.leaveAlone(scenario.idle ?? 0)
    await population.watch(scenario.watched)
    for (const tracker of trackers) tracker.start()
    await pass(scenario.runMs)
    const from = Date.now()
    const leave = population.watchUnknown(scenario.unknown ?? 0)
    await pass(scenario.runMs)
    const to = Date.now()
    leave()
    await time.pass(2_000)
    const quietFrom = Date.now()
    await time.pass(END_MS)
    const { simulated } = population
    return reportOf({ calls: lemlist.calls, simulated, from, to, quietFrom, failures, poll })
  } finally {
    for (const { tracker, upstream, close } of replicas) {
      tracker.stop()
      close()
      upstream.close()
    }
    await time.pass(END_MS)
    time.uninstall()
    await store.close()
  }
}

/** Makes trouble that lasts less than a minute. */
const makeTrouble = async (
  random: Random,
  lemlist: VirtualLemlist,
  { budget }: Store,
  trackers: readonly { start(): void; stop(): void }[],
): Promise<void> => {
  lemlist.callMs = random.pick([60, 60, 2_000, 4_500])
  if (random.next() < 0.5) await budget.pause(ACCOUNT, random.between(1_000, 40_000))
  const still = trackers[random.between(0, trackers.length - 1)]
  if (trackers.length < 2 || random.next() < 0.7) return
  still?.stop()
  setTimeout(() => still?.start(), random.between(5_000, 50_000))
}

const observerInto = (failures: string[]): Observer => ({
  drift: (kind) => void failures.push(`drift ${kind}`),
  storeFailed: (operation, error) => void failures.push(`${operation}: ${error}`),
  scheduleFull: (exports) => void failures.push(`no room for ${exports}`),
  failed: (operation, error) => void failures.push(`${operation}: ${error}`),
})

/**
 * Wraps a store and counts its operations while they are under way, because virtual time must wait
 * for them.
 */
const countingStore = (store: Store, count: (change: 1 | -1) => void): Store => {
  const counting = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name)
        if (typeof method !== 'function') return method
        return (...values: unknown[]) => {
          const answer: unknown = Reflect.apply(method, target, values)
          if (!(answer instanceof Promise)) return answer
          count(1)
          return answer.finally(() => count(-1))
        }
      },
    })
  return {
    ...store,
    results: counting(store.results),
    schedule: (account) => counting(store.schedule(account)),
    budget: counting(store.budget),
  }
}
