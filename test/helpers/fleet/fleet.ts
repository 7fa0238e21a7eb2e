import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { createLemlist, type Lemlist } from '../../../src/sandbox/lemlist.ts'
import { UNLIMITED } from '../pace.ts'
import { createRandom, type Random } from '../random.ts'
import { type RedisServer, redisUrl, startRedis } from '../redis.ts'
import {
  createRecorder,
  type Disturbance,
  type FleetRecord,
  keyOf,
  type Recorder,
} from './checking/record.ts'
import { eventually, within } from './eventually.ts'
import { startFaultProxy } from './fault-proxy.ts'
import { type Follower, type FollowerOptions, follow, roam } from './followers.ts'
import { type PlantName, plantUrl } from './plants.ts'
import { readOn } from './readers.ts'
import { countedAgain, type Replica, startReplica } from './replica.ts'
import { ACCOUNT, type Story, tellStory } from './story.ts'

/** Several gateways that share one Redis and one lemlist, and the record of what happens. */
export interface Fleet {
  readonly lemlist: Lemlist
  readonly replicas: readonly [Replica, ...Replica[]]
  readonly recorder: Recorder
  readonly random: Random
  /** The Redis that the fleet uses now. */
  redis(): RedisServer
  /** Replaces Redis by another one, which is empty. */
  replaceRedis(): Promise<void>
  /** Makes so many exports that are pending at lemlist. */
  stories(count: number): Story[]
  /**
   * Starts a client that follows the rules of EventSource. Its first connection goes to `first` if
   * there is one, all others to `home`. When that replica is down or not given, any other is
   * chosen.
   */
  follow(
    options: Pick<FollowerOptions, 'client' | 'stories' | 'longestRetryMs'> & {
      readonly home?: Replica | undefined
      readonly first?: Replica | undefined
    },
  ): Follower
  /** Starts a client that changes its replica every `everyMs` ms and reads in between. */
  roam(options: Pick<FollowerOptions, 'client' | 'stories'> & { everyMs: number }): Follower
  /** Starts a client that reads again and again, each time at any replica that is up. */
  readOn(options: { client: string; story: Story; everyMs: number; signal?: AbortSignal }): void
  /** Chooses any replica that is up. */
  pick(): Replica
  /** Records a disturbance. It begins with the work and ends `afterMs` after the work. */
  disturb<T>(
    what: string,
    afterMs: number,
    work: () => Promise<T>,
    hit?: Partial<Pick<Disturbance, 'effects' | 'replica'>>,
  ): Promise<T>
  /** Resolves when all have finished or the time is over. The checker finds those that have not. */
  settled(followers: readonly Follower[], ms: number): Promise<void>
  record(): FleetRecord
}

interface FleetOptions {
  readonly replicas?: number
  readonly env?: Readonly<Record<string, string>>
  readonly seed?: number
  /** A bug that is planted into all replicas. */
  readonly plant?: PlantName
}

/** Short poll intervals: a watched export is polled once a second. */
export const BRISK = { firstMs: 300, intervalMs: 1_000, maxIntervalMs: 1_000 }

/**
 * When many clients connect at once, each replica makes looks for its callers, and the budget spreads
 * these looks over time. For so long after the last client was shown a status, such a look may still
 * come besides the polls, milliseconds.
 */
export const SETTLING_MS = 1_500

export const paceOf = ({ firstMs, intervalMs, maxIntervalMs }: typeof BRISK) => ({
  POLL_FIRST_MS: `${firstMs}`,
  POLL_INTERVAL_MS: `${intervalMs}`,
  POLL_MAX_INTERVAL_MS: `${maxIntervalMs}`,
})

const keyOfReplica = (name: string): string => `key-of-replica-${name}`

/** Which replica made a call. Each has a lemlist key of its own; all have the same account name. */
const callerOf = (authorization: string | undefined): string =>
  Buffer.from(authorization?.replace('Basic ', '') ?? '', 'base64')
    .toString()
    .replace(`:${keyOfReplica('')}`, '')

export const startFleet = async (options: FleetOptions = {}): Promise<Fleet> => {
  const { replicas: count = 3, env = {}, seed = 1, plant } = options
  const random = createRandom(seed)
  const recorder = createRecorder()
  const lemlist = createLemlist({ rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  // A gateway of a test run that was killed still tries to reach its Redis, on a port that may belong to
  // this fleet by now. It must not put into Redis what it knows.
  const password = randomUUID()
  let redis = await startRedis({ password })

  const start = async (_: unknown, index: number): Promise<Replica> => {
    const name = String.fromCharCode('a'.charCodeAt(0) + index)
    const proxy = await startFaultProxy(redis.port, createRandom(seed + index))
    const replica = await startReplica(name, proxy, {
      LEMLIST_API_KEY: keyOfReplica(name),
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: redisUrl(proxy.port, password),
      DOCS: 'false',
      ...env,
      ...(plant !== undefined && { NODE_OPTIONS: `--import=${plantUrl(plant)}` }),
    })
    // A replica also works without Redis. The fleet must be checked with all of them on Redis.
    await eventually(`${name} reaches Redis`, () => {
      const said = replica.output()
      return said.lastIndexOf('Redis is away') <= said.lastIndexOf('Redis is back')
    })
    // The replica prints this when it has loaded every file that the bug changes.
    if (plant !== undefined && !replica.output().includes(`planted: ${plant}`)) {
      throw new Error(`${plant} was not planted:\n${replica.output()}`)
    }
    return replica
  }
  const [first, ...others] = await Promise.all(Array.from({ length: count }, start))
  if (first === undefined) throw new Error('a fleet has at least one replica')
  const replicas = [first, ...others] as const
  await countedAgain(replicas)

  const pick = (): Replica => {
    const up = replicas.filter((replica) => replica.isUp())
    return up[random.between(0, Math.max(0, up.length - 1))] ?? first
  }
  let told = 0
  return {
    lemlist,
    replicas,
    recorder,
    random,
    redis: () => redis,
    replaceRedis: async () => {
      await redis.kill()
      redis = await startRedis({ password })
      for (const replica of replicas) replica.redis.aim(redis.port)
    },
    stories: (number) =>
      Array.from({ length: number }, () => {
        told += 1
        return tellStory(lemlist, recorder, told)
      }),
    follow: ({ home, first: begin, ...rest }) => {
      let next = begin
      const choose = (): Replica => {
        const wish = next ?? home
        next = undefined
        return wish?.isUp() === true ? wish : pick()
      }
      return follow({ ...rest, recorder, pick: choose })
    },
    roam: ({ everyMs, ...rest }) => {
      let last: Replica | undefined
      const choose = (): Replica => {
        const others = replicas.filter((replica) => replica.isUp() && replica !== last)
        last = others[random.between(0, Math.max(0, others.length - 1))] ?? pick()
        return last
      }
      return roam({ ...rest, everyMs, recorder, pick: choose, pickRead: pick })
    },
    readOn: (one) => readOn({ ...one, recorder, pick }),
    pick,
    disturb: async (what, afterMs, work, { effects = [], replica } = {}) => {
      const from = performance.now()
      // A disturbance is recorded even when its work fails.
      try {
        return await work()
      } finally {
        const endedAt = performance.now()
        const to = endedAt + afterMs
        recorder.disturbances.push({ what, effects, replica, from, endedAt, to })
      }
    },
    settled: async (followers, ms) => {
      await within(ms, Promise.all(followers.map(({ finished }) => finished)))
    },
    record: () => ({
      ...recorder,
      calls: lemlist.calls.map(({ campaignId = '', exportId = '', authorization, at }) => ({
        key: keyOf(ACCOUNT, campaignId, exportId),
        replica: callerOf(authorization),
        at,
      })),
    }),
  }
}
