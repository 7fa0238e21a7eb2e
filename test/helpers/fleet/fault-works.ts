import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@redis/client'
import type { Bus } from './bus.ts'
import type { Effect } from './checking/record.ts'
import type { FaultName, PlannedFault } from './fault-plan.ts'
import type { Fleet } from './fleet.ts'
import type { Follower } from './followers.ts'
import type { Story } from './story.ts'

/** What each fault of a schedule does to a fleet. */

/** Half of lemlist's deadline in a schedule of faults. */
const SLOW_ANSWER_MS = 500

/** What a fault may touch. */
export interface Scene {
  readonly fleet: Fleet
  readonly stories: readonly Story[]
  readonly followers: readonly Follower[]
  /** Followers that change their replica all the time. */
  readonly roamers: readonly Follower[]
  readonly bus: Bus
}

/** Breaks something, keeps it broken for a while, and mends it. */
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

export const WORKS: Readonly<Record<FaultName, Work>> = {
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
    for (const story of stories) story.answerIn(SLOW_ANSWER_MS)
    await delay(forMs)
    for (const story of stories) story.answerIn(0)
  },
}

/** What the checker must know about each fault. */
export const EFFECTS: Readonly<Record<FaultName, readonly Effect[]>> = {
  'Redis slow for one': ['blinds', 'slows'],
  'Redis cut off from one': ['blinds'],
  'Redis swallows what one says': ['blinds', 'loses'],
  'Redis refuses one': ['blinds', 'loses'],
  'Redis closes slowly on one': ['blinds'],
  'Redis stands still': ['blinds', 'loses'],
  'Redis killed and empty': ['blinds', 'loses', 'empties'],
  'Redis flushed': ['empties'],
  'Redis drops the listeners': ['blinds'],
  'replica killed': ['halts', 'restarts'],
  'replica stands still': ['blinds', 'halts'],
  'replica stopped': ['halts', 'restarts'],
  'clients lose their connections': [],
  'bus repeats itself': [],
  'lemlist slow': [],
}
