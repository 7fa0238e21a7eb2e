import { describe, expect, it } from 'vitest'
import { check, FAULT_WINDOW } from '../helpers/fleet/checking/checker.ts'
import { eventually } from '../helpers/fleet/eventually.ts'
import { paceOf, startFleet } from '../helpers/fleet/fleet.ts'
import { measured } from '../helpers/fleet/measured.ts'
import { withoutRedis } from '../helpers/redis.ts'

/** A socket each in this process: `ulimit -n` must be 4 096 or more. */
const STREAMS = 1_500
const EXPORTS = 15
const PACE = { firstMs: 500, intervalMs: 3_000, maxIntervalMs: 3_000 }
const SECOND_MS = 1_000
/**
 * The most that may come back in one second. The pauses of 1 to 3 s alone would put half of them into each
 * of two seconds, and the drain spreads them further.
 */
const LARGEST_PART = 0.45

/** How many times in each second from the first to the last. */
const perSecond = (times: readonly number[]): number[] => {
  const first = Math.min(...times)
  const seconds = Array.from(
    { length: Math.ceil((Math.max(...times) - first + 1) / SECOND_MS) },
    () => 0,
  )
  for (const time of times) {
    const second = Math.floor((time - first) / SECOND_MS)
    seconds[second] = (seconds[second] ?? 0) + 1
  }
  return seconds
}

describe.skipIf(withoutRedis)('a rolling restart of three replicas with 1 500 streams', () => {
  it('loses no final, and spreads the reconnects', { timeout: 150_000 }, async () => {
    const fleet = await startFleet({ env: paceOf(PACE) })
    const stories = fleet.stories(EXPORTS)
    const followers = Array.from({ length: STREAMS / EXPORTS }, (_, number) =>
      stories.map((story) => {
        const home = fleet.replicas[number % fleet.replicas.length]
        // Home is where it begins: whoever is sent away goes to any that is up.
        return fleet.follow({ client: `${number} ${story.key}`, stories: [story], first: home })
      }),
    ).flat()
    await Promise.all(followers.map(({ told }) => told))

    const waves: number[][] = []
    for (const [index, replica] of fleet.replicas.entries()) {
      // Some end in the middle of it all.
      const [ending, late] = [stories[4 * index], stories[4 * index + 1]]
      const from = performance.now()
      const guests = followers.filter(
        (one) => !one.isFinished() && one.connects.at(-1)?.replica === replica.name,
      )
      ending?.finish()
      const stopped = replica.stop()
      late?.finish('error')
      expect(await stopped).toBe(0)
      await replica.start()
      const back = () =>
        guests.flatMap(({ connects }) => connects.map(({ at }) => at).find((at) => at > from) ?? [])
      const sentAway = guests.filter((one) => !one.isFinished())
      await eventually('all are back', () =>
        sentAway.every(({ connects }) => (connects.at(-1)?.at ?? 0) > from),
      )
      waves.push(back())
    }
    for (const story of stories) if (!story.isOver()) story.finish()
    await fleet.settled(followers, 15_000)

    expect(followers.filter((one) => !one.isFinished())).toEqual([])
    // While hundreds of streams come back at once, calls that left in time arrive closer together.
    expect(check(fleet.record(), { window: FAULT_WINDOW })).toEqual([])
    for (const wave of waves) {
      const seconds = perSecond(wave)
      measured(`${wave.length} reconnects, by the second: ${seconds.join(' ')}`)
      expect(wave.length).toBeGreaterThan(STREAMS / 6)
      expect(Math.max(...seconds)).toBeLessThanOrEqual(LARGEST_PART * wave.length)
    }
  })
})
