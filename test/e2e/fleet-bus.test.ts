import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checking/checker.ts'
import { paceOf, startFleet } from '../helpers/fleet/fleet.ts'
import { withoutRedis } from '../helpers/redis.ts'

const PACE = { firstMs: 300, intervalMs: 1_200, maxIntervalMs: 1_200 }
const HEARTBEAT_MS = 500
const SLACK_MS = 1_000
const EXPORTS = 8

/** `silent`: no message of another replica is heard. */
const run = async (bus: 'sound' | 'silent') => {
  const silent = bus === 'silent'
  const env = { ...paceOf(PACE), ...(silent && { SSE_HEARTBEAT_MS: `${HEARTBEAT_MS}` }) }
  const fleet = await startFleet({
    env,
    ...(silent && { plant: 'a bus that drops every message' }),
  })
  const stories = fleet.stories(EXPORTS)
  const connect = async () => {
    const followers = stories.flatMap((story, number) =>
      fleet.replicas.map((home) =>
        fleet.follow({ client: `${number}${home.name}`, stories: [story], home }),
      ),
    )
    await Promise.all(followers.map(({ told }) => told))
    return followers
  }
  const followers = await fleet.disturb('connecting', 2 * PACE.intervalMs, connect)
  for (const [number, story] of stories.entries()) story.finish(number % 2 === 0 ? 'done' : 'error')
  const finalWithinMs = 1.1 * PACE.intervalMs + SLACK_MS + (silent ? HEARTBEAT_MS : 0)
  await fleet.settled(followers, 2 * finalWithinMs)
  expect(followers.filter((one) => !one.isFinished())).toEqual([])
  return check(fleet.record(), { window: CALM_WINDOW, finalWithinMs })
}

describe.skipIf(withoutRedis)('every follower on every replica', () => {
  it('gets every final in an interval', async () => {
    expect(await run('sound')).toEqual([])
  })

  it('gets every final a heartbeat later when the bus drops every message', async () => {
    expect(await run('silent')).toEqual([])
  })
})
