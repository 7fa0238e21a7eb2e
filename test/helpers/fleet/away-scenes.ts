import { setTimeout as delay } from 'node:timers/promises'
import { calmWindow, check } from './checking/checker.ts'
import { eventually, within } from './eventually.ts'
import { type Fleet, paceOf, startFleet } from './fleet.ts'
import { readOnce } from './readers.ts'
import type { Scene } from './scenes.ts'

/** Scenes in which the replicas lose Redis and get it back. */

/** The polls are so rare that each look here is made for a client. */
const PACE = { firstMs: 5_000, intervalMs: 5_000, maxIntervalMs: 5_000 }
const WINDOW_MS = 1_000
/** lemlist's deadline. */
const TIMEOUT_MS = 1_000
const ENV = {
  ...paceOf(PACE),
  LEMLIST_RATE_WINDOW_MS: `${WINDOW_MS}`,
  LEMLIST_TIMEOUT_MS: `${TIMEOUT_MS}`,
}
/** How soon the client comes back, which is before the observation of before is too old. */
const SOON_MS = 300
const WINDOW = calmWindow(WINDOW_MS)

/** Stops Redis during the work. All replicas have noticed it before the work begins. */
const withoutRedis = (fleet: Fleet, work: () => Promise<void>): Promise<void> =>
  fleet.disturb(
    'Redis stands still',
    TIMEOUT_MS,
    async () => {
      const redis = fleet.redis()
      redis.pause()
      await work()
      redis.resume()
    },
    { effects: ['blinds', 'loses'] },
  )

/**
 * While Redis is away, one replica learns that an export is done, and another one has a young
 * observation of before. A client is shown the end by the first replica and comes to the second.
 */
export const comesBackElsewhere: Scene = async (plant) => {
  const fleet = await startFleet({ replicas: 2, env: ENV, ...(plant && { plant }) })
  const { recorder, replicas } = fleet
  const [informed, behind] = replicas
  if (behind === undefined) throw new Error('there are two replicas')
  const [story] = fleet.stories(1)
  if (story === undefined) throw new Error('there is a story')
  const client = 'roamer'
  const follower = fleet.follow({
    ...{ client, stories: [story], first: informed, home: behind },
    longestRetryMs: SOON_MS,
  })
  await follower.told
  await withoutRedis(fleet, async () => {
    await readOnce({ client: 'neighbour', story, recorder }, behind)
    story.finish()
    await readOnce({ client: 'neighbour-of-the-end', story, recorder }, informed)
    await follower.finished
    // lemlist answers too late, so the second replica has nothing but its observation of before.
    story.answerIn(2 * TIMEOUT_MS)
    await readOnce({ client, story, recorder }, behind)
    story.answerIn(0)
    // By now its connection has ended, so the client has come to the second replica.
    await eventually('the client comes back', () => follower.connects.length > 1)
    await delay(TIMEOUT_MS)
    // One more read finds the end on the second replica, whatever it said before.
    await readOnce({ client, story, recorder }, behind)
  })
  return check(fleet.record(), { window: WINDOW, roams: true })
}

/**
 * One replica has lost Redis and has a young observation of an export. A client that follows there
 * reads the end on the other replica, loses its connection, and comes back with an id that the first
 * replica knows.
 */
export const readsTheEndElsewhere: Scene = async (plant) => {
  const fleet = await startFleet({ replicas: 2, env: ENV, ...(plant && { plant }) })
  const { recorder, replicas } = fleet
  const [informed, behind] = replicas
  if (behind === undefined) throw new Error('there are two replicas')
  const [story] = fleet.stories(1)
  if (story === undefined) throw new Error('there is a story')
  const client = 'roamer'
  const follower = fleet.follow({
    ...{ client, stories: [story], home: behind },
    longestRetryMs: SOON_MS,
  })
  await follower.told
  const work = async (): Promise<void> => {
    behind.redis.refuse()
    await eventually('Redis is lost', () => behind.output().includes('Redis is away'))
    // The checker believes only after a while that a replica has noticed the loss.
    await delay(TIMEOUT_MS)
    await readOnce({ client: 'neighbour', story, recorder }, behind)
    story.finish()
    await readOnce({ client, story, recorder }, informed)
    follower.drop()
    await within(5 * TIMEOUT_MS, follower.finished)
    await within(5 * TIMEOUT_MS, follower.stopped)
    behind.redis.heal()
  }
  const effects = ['blinds', 'loses'] as const
  await fleet.disturb('Redis refuses one', TIMEOUT_MS, work, { effects, replica: behind.name })
  return check(fleet.record(), { window: WINDOW })
}

/** Reads exports that nobody has read on each replica: when Redis is lost, and when it is back. */
export const coldReads: Scene = async (plant) => {
  const fleet = await startFleet({ env: ENV, ...(plant && { plant }) })
  const { recorder, replicas } = fleet
  const backs = () => replicas.map(({ output }) => output().split('Redis is back').length)
  const readCold = () =>
    Promise.all(
      replicas.map((replica) => {
        const [story] = fleet.stories(1)
        if (story === undefined) throw new Error('there is a story')
        return readOnce({ client: `cold-${replica.name}`, story, recorder }, replica)
      }),
    )
  const before = backs()
  const [followed] = fleet.stories(1)
  if (followed === undefined) throw new Error('there is a story')
  const follower = fleet.follow({ client: 'follower', stories: [followed] })
  await follower.told
  await withoutRedis(fleet, async () => {
    await readCold()
    // The window after the loss is over before the one after the return begins.
    await delay(2 * WINDOW_MS)
  })
  await eventually('Redis is back', () => backs().every((times, n) => times > (before[n] ?? 0)))
  await readCold()
  const cold = { replicas: replicas.length, calls: 16, reserve: 4, windowMs: WINDOW_MS }
  return check(fleet.record(), { window: WINDOW, cold })
}
