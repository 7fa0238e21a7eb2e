import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CALM_WINDOW, check } from '../helpers/fleet/checker.ts'
import { paceOf, startFleet } from '../helpers/fleet/fleet.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { pollGaps } from '../helpers/fleet/poll-checker.ts'
import { readOnce } from '../helpers/fleet/readers.ts'
import type { FleetRecord } from '../helpers/fleet/record.ts'
import { withoutRedis } from '../helpers/redis.ts'
import { busiestWindow } from '../helpers/windows.ts'

/** `FLEET_SECONDS=60` takes a minute, at the pace that users have. */
const SECONDS = Number(process.env.FLEET_SECONDS ?? 20)
const REAL = { firstMs: 1_000, intervalMs: 5_000, maxIntervalMs: 15_000 }
const SHORT = { firstMs: 500, intervalMs: 4_000, maxIntervalMs: 4_000 }
const PACE = SECONDS >= 60 ? REAL : SHORT
/** What a poll may be late by: its slot in the budget, and a machine with other things to do. */
const SLACK_MS = 1_000
const EXPORTS = 20

const busiest = ({ calls }: FleetRecord): string => {
  const times = calls.map(({ at }) => at)
  return `at most ${busiestWindow(times, 1_900)} calls in 1.9 s, ${busiestWindow(times, 2_000)} in 2 s`
}

const POLLS = { ...PACE, replicas: 3, slackMs: SLACK_MS }

describe.skipIf(withoutRedis)('20 exports watched on three replicas', () => {
  it('have one poller each, keep their pace whoever polls them, and tell every follower', async () => {
    const fleet = await startFleet({ env: paceOf(PACE) })
    const stories = fleet.stories(EXPORTS)
    const follow = async () => {
      // The first fourteen are watched on one replica only, the others on all three.
      const followers = stories.flatMap((story, number) =>
        fleet.replicas
          .filter((_, index) => number >= 14 || index === number % 3)
          .map((home) =>
            fleet.follow({ client: `${number}-${home.name}`, stories: [story], home }),
          ),
      )
      await Promise.all(followers.map(({ told }) => told))
      return followers
    }
    // All at once they want more calls than there are: "one poll an interval" is for those that follow.
    const followers = await fleet.disturb('connecting', 2 * PACE.intervalMs, follow)
    const stretches = 4
    for (let stretch = 0; stretch < stretches; stretch += 1) {
      await delay((SECONDS * 1_000) / stretches)
      for (const story of stories) story.progress()
    }
    for (const story of stories) story.finish()
    await fleet.settled(followers, 3 * PACE.maxIntervalMs)

    const record = fleet.record()
    const longestMs = Math.min(PACE.maxIntervalMs, Math.max(PACE.intervalMs, SECONDS * 200))
    const finalWithinMs = 1.1 * longestMs + SLACK_MS
    expect(check(record, { window: CALM_WINDOW, finalWithinMs, polls: POLLS })).toEqual([])
    const gaps = pollGaps(record, POLLS).map(({ ms, intervalMs }) => ms / intervalMs)
    // That the rule had something to hold for.
    expect(gaps.length).toBeGreaterThan(2 * EXPORTS)
    const closest = Math.min(...gaps)
    expect(closest).toBeGreaterThanOrEqual(0.9)
    const widest = Math.max(...gaps).toFixed(3)
    measured(
      `${gaps.length} polls, ${closest.toFixed(3)} to ${widest} intervals apart; ${busiest(record)}`,
    )
    // Whoever is free polls, also what is watched elsewhere.
    const byStory = Map.groupBy(record.calls, ({ key }) => key)
    const shared = [...byStory.values()].filter(
      (calls) => new Set(calls.map(({ replica }) => replica)).size > 1,
    )
    expect(shared.length).toBeGreaterThan(14 / 2)
  })
})

describe.skipIf(withoutRedis)('200 exports watched on three replicas', () => {
  it('cost at most 16 calls in any 2 s over all of them, and put the budget to use', async () => {
    const fleet = await startFleet()
    for (const [number, story] of fleet.stories(200).entries()) {
      const home = fleet.replicas[number % 3]
      fleet.follow({ client: `${number}`, stories: [story], ...(home !== undefined && { home }) })
    }
    const seconds = 12
    await fleet.lemlist.waitForCalls(1)
    await delay(seconds * 1_000)
    const record = fleet.record()
    expect(check(record, { window: CALM_WINDOW })).toEqual([])
    // 8 a second, of which a tenth may be lost to a machine with other things to do.
    expect(record.calls.length).toBeGreaterThan(0.9 * 8 * seconds)
    measured(`200 exports: ${record.calls.length} calls in ${seconds} s; ${busiest(record)}`)
  })
})

describe.skipIf(withoutRedis)('an export that is watched on one replica', () => {
  // A read elsewhere planned the next look as if nobody watched, a minute off, or as if the export were new.
  it('is looked at in its interval also after reads on another', async () => {
    const pace = { firstMs: 500, intervalMs: 2_000, maxIntervalMs: 2_000 }
    const fleet = await startFleet({ replicas: 2, env: paceOf(pace) })
    const [home, elsewhere] = fleet.replicas
    if (elsewhere === undefined) throw new Error('two replicas were asked for')
    const [story] = fleet.stories(1)
    if (story === undefined) throw new Error('one story was asked for')
    const follower = fleet.follow({ client: 'follower', stories: [story], home })
    await follower.told
    await fleet.lemlist.waitForCalls(3)
    const { recorder } = fleet
    expect(await readOnce({ client: 'reader', story, recorder }, elsewhere)).toBe(200)
    const callsSoFar = fleet.lemlist.calls.length
    await fleet.lemlist.waitForCalls(callsSoFar + 2)
    story.finish()
    await fleet.settled([follower], 3 * pace.intervalMs)
    const polls = { ...pace, replicas: 2, slackMs: SLACK_MS }
    const finalWithinMs = 1.1 * pace.intervalMs + SLACK_MS
    expect(check(fleet.record(), { window: CALM_WINDOW, finalWithinMs, polls })).toEqual([])
  })
})
