import { setTimeout as delay } from 'node:timers/promises'
import { listenToBus } from './bus.ts'
import { CALM_WINDOW, calmWindow, check } from './checking/checker.ts'
import type { Violation } from './checking/record.ts'
import { eventually } from './eventually.ts'
import { paceOf, SETTLING_MS, startFleet } from './fleet.ts'
import type { PlantName } from './plants.ts'
import { readOnce } from './readers.ts'
import type { Replica } from './replica.ts'
import type { Story } from './story.ts'

/** Brings a fleet into a situation in which a certain bug shows. Sound gateways break no rule. */
export type Scene = (plant?: PlantName) => Promise<Violation[]>

const SLACK_MS = 1_000
const PACE = { firstMs: 200, intervalMs: 700, maxIntervalMs: 700 }
/** So long that another replica would look at the same export meanwhile, if it could claim it. */
const SLOW_MS = 900
/** In this time a gateway has done what follows from an answer of lemlist. */
const AFTERMATH_MS = 200
/** Heartbeats are so rare that they cannot deliver what the bus should have delivered. */
const SELDOM = { SSE_HEARTBEAT_MS: '20000' }
/** Half of lemlist's window, so that the looks for the first callers are over sooner. */
const LIFE_WINDOW_MS = 1_000
const STORIES = 3

const at = <T>(items: readonly T[], index: number): T => {
  const item = items[index]
  if (item === undefined) throw new Error(`there is no number ${index}`)
  return item
}

/**
 * Statuses change, the bus repeats old messages, an answer of lemlist comes late, and lemlist says
 * pending again after a final status.
 */
export const ordinaryLife: Scene = async (plant) => {
  const env = { ...paceOf(PACE), ...SELDOM, LEMLIST_RATE_WINDOW_MS: `${LIFE_WINDOW_MS}` }
  const fleet = await startFleet({ env, ...(plant && { plant }) })
  const { lemlist, recorder, replicas } = fleet
  const bus = await listenToBus(fleet.redis().url)
  const stories = fleet.stories(STORIES)
  const [first, ...others] = stories
  if (first === undefined) throw new Error('there are no stories')
  const followAll = async () => {
    const followers = replicas.flatMap((home) => [
      fleet.follow({ client: `many-${home.name}`, stories: [first, ...others], home }),
      fleet.follow({ client: `one-${home.name}`, stories: [first], home }),
    ])
    await Promise.all(followers.map(({ told }) => told))
    return followers
  }
  const followers = await fleet.disturb('connecting', SETTLING_MS, followAll)
  fleet.readOn({ client: 'reader', story: at(stories, 1), everyMs: 300 })

  const seenBy = (story: Story, everyone: number) =>
    eventually(
      `the newest status of ${story.key} is seen`,
      () => {
        const newest = recorder.said.findLast(({ key }) => key === story.key)?.body
        const seen = recorder.sightings.filter(
          ({ body, via }) => body === newest && via === 'stream',
        )
        return seen.length >= everyone
      },
      PACE.intervalMs + 2 * SLACK_MS,
    ).catch(() => {})
  const begun = bus.heardOf(first).length
  await eventually('the bus carries what is pending', () => bus.heardOf(first).length > begun)
  for (const story of stories) story.progress()
  await seenBy(first, followers.length)
  for (const story of stories)
    for (const old of bus.heardOf(story).slice(0, 1)) await bus.repeat(old)

  // A look of one replica takes long and finds the export pending. A look of another replica begins
  // later and finds it done. However busy the machine is, the slow look is over last.
  const callsOf = () => lemlist.calls.filter(({ exportId }) => exportId === first.exportId)
  const before = callsOf().length
  const letGo = first.holdNext()
  const slow = await eventually('a slow look begins', () => callsOf()[before])
  const looking = fleet.record().calls.findLast(({ key }) => key === first.key)?.replica
  first.finish()
  const elsewhere = replicas.find(({ name }) => name !== looking) ?? replicas[0]
  await readOnce({ client: 'reader-elsewhere', story: first, recorder }, elsewhere)
  first.relapse()
  await delay(Math.max(0, slow.at + SLOW_MS - performance.now()))
  letGo()
  await eventually('the slow look is answered', () => slow.status !== 0)
  await delay(AFTERMATH_MS)
  for (const home of replicas)
    await readOnce({ client: 'reader-after', story: first, recorder }, home)

  for (const story of others) story.finish()
  await fleet.settled(followers, 2 * PACE.intervalMs + SLACK_MS)
  return check(fleet.record(), {
    window: calmWindow(LIFE_WINDOW_MS),
    finalWithinMs: 1.1 * PACE.intervalMs + SLACK_MS,
    readLagMs: SLACK_MS,
    polls: { ...PACE, replicas: replicas.length },
  })
}

/**
 * A poll of an export that nobody watches takes long. Meanwhile a client begins to watch the export
 * on the other replica, and that replica looks at it too. By this look the first replica loses its
 * claim. When its slow poll ends, it plans the next look by what it knew when it claimed the export:
 * that nobody watches.
 */
export const lateReschedule: Scene = async (plant) => {
  const pace = { firstMs: 300, intervalMs: 500, maxIntervalMs: 500 }
  const env = { ...paceOf(pace), POLL_IDLE_INTERVAL_MS: '5000' }
  const fleet = await startFleet({ replicas: 2, env, ...(plant && { plant }) })
  const { recorder, replicas } = fleet
  const story = at(fleet.stories(1), 0)
  await readOnce({ client: 'reader', story, recorder }, at<Replica>(replicas, 0))
  const letGo = story.holdNext()
  const slow = await eventually('a slow poll begins', () => fleet.lemlist.calls[1], 10_000)
  const polling = fleet.record().calls[1]?.replica
  const home = at(
    replicas.filter(({ name }) => name !== polling),
    0,
  )
  const follower = fleet.follow({ client: 'follower', stories: [story], home })
  await follower.told
  letGo()
  await eventually('the slow poll is answered', () => slow.status !== 0)
  await delay(AFTERMATH_MS)
  story.finish()
  const finalWithinMs = 1.1 * pace.intervalMs + SLACK_MS
  await fleet.settled([follower], finalWithinMs + SLACK_MS)
  return check(fleet.record(), { window: CALM_WINDOW, finalWithinMs })
}

/** How long the replicas need to learn of each other, ms. */
const BEAT_MS = 5_500
/**
 * With this limit and reserve each of six replicas has one call in a window while Redis is away.
 * All six may be made at once. Only the wait at the switch keeps them apart from earlier calls.
 */
const LIMIT = 13
const RESERVE = 1
/** So long that six replicas on a busy machine notice the loss of Redis in a part of it. */
const WINDOW_MS = 4_000

/** Six replicas want to make more calls than they may. Then they lose Redis, which counts them. */
export const lossOfTheCount: Scene = async (plant) => {
  const env = {
    ...paceOf(PACE),
    LEMLIST_RATE_LIMIT: `${LIMIT}`,
    LEMLIST_RATE_RESERVE: `${RESERVE}`,
    LEMLIST_RATE_WINDOW_MS: `${WINDOW_MS}`,
  }
  const fleet = await startFleet({ replicas: 6, env, ...(plant && { plant }) })
  const stories = fleet.stories(96)
  for (const [number, story] of stories.entries()) {
    fleet.follow({
      client: `${number}`,
      stories: [story],
      home: at<Replica>(fleet.replicas, number % fleet.replicas.length),
    })
  }
  await delay(BEAT_MS)
  await fleet.disturb('Redis is gone', 0, async () => {
    await fleet.redis().kill()
    // Waits for the window in which no call may leave, and for a part of another one.
    await delay(WINDOW_MS + 1_000)
  })
  // A call may need up to 100 ms to reach lemlist, so the window is that much shorter.
  return check(fleet.record(), { window: { calls: LIMIT, ms: WINDOW_MS - 100 } })
}
