import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checking/checker.ts'
import { eventually } from '../helpers/fleet/eventually.ts'
import { paceOf, SETTLING_MS, startFleet } from '../helpers/fleet/fleet.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { withoutRedis } from '../helpers/redis.ts'

const PACE = { firstMs: 300, intervalMs: 1_000, maxIntervalMs: 1_000 }
const TIMEOUT_MS = 1_000
/** A claim is given up for dead when its call must be over, and 5 s later. */
const VISIBILITY_MS = TIMEOUT_MS + 5_000
const SLACK_MS = 1_000
const CLIENTS = 20

describe.skipIf(withoutRedis)('kill -9 of the replica that is looking', () => {
  it('another takes over in time, and its clients go elsewhere and miss nothing', async () => {
    const env = { ...paceOf(PACE), LEMLIST_TIMEOUT_MS: `${TIMEOUT_MS}` }
    const fleet = await startFleet({ env })
    const [story, ...others] = fleet.stories(4)
    if (story === undefined) throw new Error('there are no stories')
    const connect = async () => {
      const followers = fleet.replicas.flatMap((home) =>
        Array.from({ length: CLIENTS }, (_, number) => {
          const followed = number % 2 === 0 ? ([story] as const) : ([story, ...others] as const)
          return fleet.follow({ client: `${home.name}${number}`, stories: followed, home })
        }),
      )
      await Promise.all(followers.map(({ told }) => told))
      return followers
    }
    const followers = await fleet.disturb('connecting', SETTLING_MS, connect)

    // So slow that it cannot be over before its replica is.
    story.answerIn(TIMEOUT_MS - 200)
    const from = performance.now()
    const poll = await eventually('a poll', () =>
      fleet.record().calls.find(({ key, at }) => key === story.key && at > from),
    )
    const victim = fleet.replicas.find(({ name }) => name === poll.replica)
    if (victim === undefined) throw new Error('nobody polled')
    const longestMs = VISIBILITY_MS + 1.1 * PACE.intervalMs + SLACK_MS
    const { next, killedAt } = await fleet.disturb('kill -9', PACE.intervalMs, async () => {
      await victim.kill()
      const killed = performance.now()
      story.answerIn(0)
      for (const one of [story, ...others]) one.progress()
      const call = await eventually(
        'a poll by another replica',
        () => fleet.record().calls.find(({ key, at }) => key === story.key && at > killed),
        longestMs,
      )
      return { next: call, killedAt: killed }
    })
    expect(next.replica).not.toBe(victim.name)
    expect(next.at - killedAt).toBeLessThan(VISIBILITY_MS + 1.1 * PACE.intervalMs)
    measured(`taken over ${Math.round(next.at - killedAt)} ms after the kill`)

    for (const one of [story, ...others]) one.finish()
    await fleet.settled(followers, longestMs)
    const orphans = followers.filter(({ client }) => client.startsWith(victim.name))
    expect(orphans).toHaveLength(CLIENTS)
    for (const { connects } of orphans) {
      expect(connects.at(-1)?.replica).not.toBe(victim.name)
    }
    const polls = { ...PACE, replicas: 3 }
    expect(check(fleet.record(), { window: CALM_WINDOW, polls })).toEqual([])
  })
})
