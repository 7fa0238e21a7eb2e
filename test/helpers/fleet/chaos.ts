import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { createRandom } from '../random.ts'
import { type Bus, listenToBus } from './bus.ts'
import { check, FAULT_WINDOW } from './checker.ts'
import { type FaultName, type FaultPlan, type PlannedFault, planFaults } from './fault-plan.ts'
import { BRISK, type Fleet, paceOf, startFleet } from './fleet.ts'
import type { Follower } from './followers.ts'
import { readOnce } from './readers.ts'
import type { Violation } from './record.ts'
import type { Story } from './story.ts'

/** The outcome of a fleet under a schedule of faults: the plan, and what the checker found. */
export interface Outcome {
  readonly plan: FaultPlan
  readonly violations: readonly Violation[]
  /** How many status calls lemlist got. */
  readonly calls: number
  /** How many statuses the clients were shown. */
  readonly sightings: number
}

const REPLICAS = 3
const EXPORTS = 4
/** lemlist's deadline. The claims of a killed replica are free again 5 s after it. */
const TIMEOUT_MS = 1_000
const ENV = {
  ...paceOf(BRISK),
  POLL_IDLE_INTERVAL_MS: '2000',
  SSE_HEARTBEAT_MS: '1000',
  LEMLIST_TIMEOUT_MS: `${TIMEOUT_MS}`,
}
/**
 * How long a fleet may need after the last fault: until a claim of a killed replica comes back, for
 * two intervals, and for the longest `retry:` of a stream, 5 s.
 */
const LONGEST_RECOVERY_MS = TIMEOUT_MS + 5_000 + 2 * BRISK.intervalMs + 5_000
/** How long a replica needs after a fault to notice Redis again and to wait for its budget. */
const BLIND_MS = 4_000
/** How far a read may lag behind lemlist. A replica that was paused answers late. */
const READ_LAG_MS = 5_000

interface Scene {
  readonly fleet: Fleet
  readonly stories: readonly Story[]
  readonly followers: readonly Follower[]
  readonly bus: Bus
}

type Work = (scene: Scene, fault: PlannedFault) => Promise<void>

const admin = async ({ fleet }: Scene, command: readonly string[]): Promise<void> => {
  const client = createClient({ url: fleet.redis().url, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.sendCommand(command)
  } catch {
    // Another fault may have stopped Redis. Then this command has nothing to do.
  } finally {
    client.destroy()
  }
}

/** Spoils the connection of one replica to Redis for a while, then heals it. */
const onTheWay =
  (spoil: (proxy: Fleet['replicas'][number]['redis']) => void): Work =>
  async ({ fleet }, { replica, forMs }) => {
    const proxy = fleet.replicas[replica]?.redis
    if (proxy === undefined) throw new Error(`no replica ${replica}`)
    spoil(proxy)
    await delay(forMs)
    proxy.heal()
  }

const onReplica =
  (work: (replica: Fleet['replicas'][number], forMs: number) => Promise<unknown>): Work =>
  async ({ fleet }, { replica: number, forMs }) => {
    const replica = fleet.replicas[number]
    // Another fault has already stopped this replica.
    if (replica?.isUp() !== true) return
    await work(replica, forMs)
  }

const WORKS: Readonly<Record<FaultName, Work>> = {
  'Redis slow for one': onTheWay((proxy) => proxy.slow(60)),
  'Redis cut off from one': onTheWay((proxy) => proxy.cut()),
  'Redis swallows what one says': onTheWay((proxy) => proxy.swallow()),
  'Redis refuses one': onTheWay((proxy) => proxy.refuse()),
  'Redis closes slowly on one': onTheWay((proxy) => {
    proxy.closeSlowly(500)
    proxy.cut()
  }),
  'Redis stands still': async ({ fleet }, { forMs }) => {
    const redis = fleet.redis()
    redis.pause()
    await delay(forMs)
    redis.resume()
  },
  'Redis killed and empty': async ({ fleet }, { forMs }) => {
    await fleet.redis().kill()
    await delay(forMs)
    await fleet.replaceRedis()
  },
  'Redis flushed': (scene) => admin(scene, ['FLUSHALL']),
  'Redis drops the listeners': (scene) => admin(scene, ['CLIENT', 'KILL', 'TYPE', 'pubsub']),
  'replica killed': onReplica(async (replica, forMs) => {
    await replica.kill()
    await delay(forMs / 2)
    await replica.start()
  }),
  'replica stands still': onReplica(async (replica, forMs) => {
    replica.pause()
    await delay(forMs)
    replica.resume()
  }),
  'replica stopped': onReplica(async (replica) => {
    await replica.stop()
    await replica.start()
  }),
  'clients lose their connections': async ({ followers }) => {
    for (const [index, follower] of followers.entries()) if (index % 2 === 0) follower.drop()
  },
  'bus repeats itself': async ({ bus, stories }) => {
    const old = stories.flatMap((story) => bus.heardOf(story))
    // Another fault may have stopped Redis. Then nothing can be published.
    await Promise.all(old.map((message) => bus.repeat(message).catch(() => {})))
  },
  'lemlist slow': async ({ stories }, { forMs }) => {
    for (const story of stories) story.answerIn(TIMEOUT_MS / 2)
    await delay(forMs)
    for (const story of stories) story.answerIn(0)
  },
}

const begin = async (seed: number): Promise<Scene> => {
  const fleet = await startFleet({ replicas: REPLICAS, env: ENV, seed })
  const [first, ...others] = fleet.stories(EXPORTS)
  if (first === undefined) throw new Error('there are no stories')
  const bus = await listenToBus(fleet.redis().url)
  const followers = fleet.replicas.flatMap((home) => [
    fleet.follow({ client: `many-${home.name}`, stories: [first, ...others], home }),
    fleet.follow({ client: `one-${home.name}`, stories: [first], home }),
  ])
  await Promise.all(followers.map(({ told }) => told))
  return { fleet, stories: [first, ...others], followers, bus }
}

const live = async ({ fleet, stories }: Scene, { ends }: FaultPlan): Promise<void> => {
  const lives = stories.map(async (story, index) => {
    const plan = ends[index]
    if (plan === undefined) throw new Error('an export without a plan')
    await delay(plan.progressAtMs)
    story.progress()
    await delay(plan.endAtMs - plan.progressAtMs)
    story.finish(plan.state)
  })
  for (const [index, story] of stories.slice(0, 2).entries()) {
    fleet.readOn({ client: `reader-${index}`, story, everyMs: 900 })
  }
  await Promise.all(lives)
}

/**
 * Runs the schedule of a seed, lets the fleet recover and reads every export at every replica once
 * more. Then the checker judges the record.
 */
export const runSchedule = async (seed: number): Promise<Outcome> => {
  const plan = planFaults(createRandom(seed), REPLICAS, EXPORTS)
  const scene = await begin(seed)
  const { fleet, stories, followers } = scene
  await fleet.disturb('the schedule', LONGEST_RECOVERY_MS, async () => {
    const faults = plan.faults.map(async (fault) => {
      await delay(fault.atMs)
      const work = () => WORKS[fault.name](scene, fault)
      await fleet.disturb(fault.name, BLIND_MS, work, true)
    })
    await Promise.all([...faults, live(scene, plan)])
    await fleet.settled(followers, LONGEST_RECOVERY_MS)
  })
  for (const story of stories) {
    for (const replica of fleet.replicas) {
      await readOnce({ client: 'last-reader', story, recorder: fleet.recorder }, replica)
    }
  }
  const record = fleet.record()
  const polls = { ...BRISK, replicas: REPLICAS }
  return {
    plan,
    calls: record.calls.length,
    sightings: record.sightings.length,
    violations: check(record, { window: FAULT_WINDOW, readLagMs: READ_LAG_MS, polls }),
  }
}
