import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { busiestWindow } from '../windows.ts'
import { calmWindow, check } from './checking/checker.ts'
import { pollGaps } from './checking/poll-checker.ts'
import type { FleetRecord } from './checking/record.ts'
import { paceOf, startFleet } from './fleet.ts'
import { measured } from './measured.ts'
import { readOnce } from './readers.ts'

/** Checks what three replicas promise about the pace of polls. The test chooses the intervals. */

interface Pace {
  readonly firstMs: number
  readonly intervalMs: number
  readonly maxIntervalMs: number
  /** The window in which lemlist allows 20 calls. */
  readonly windowMs: number
  /** How long the exports are watched. */
  readonly seconds: number
}

/** How late a poll may be: it waits for a slot of the budget, and the machine may be busy. */
const SLACK_MS = 1_000
const EXPORTS = 20

const envOf = (pace: Pace) => ({
  ...paceOf(pace),
  LEMLIST_RATE_WINDOW_MS: String(pace.windowMs),
})

const busiest = ({ calls }: FleetRecord, windowMs: number): string => {
  const times = calls.map(({ at }) => at)
  const { ms } = calmWindow(windowMs)
  return `at most ${busiestWindow(times, ms)} calls in ${ms} ms, ${busiestWindow(times, windowMs)} in ${windowMs} ms`
}

/**
 * Checks that each of 20 exports is polled by one replica at a time and keeps its pace, whichever
 * replica polls it, and that every follower is told.
 */
export const watchTwenty = async (pace: Pace): Promise<void> => {
  const { intervalMs, maxIntervalMs, windowMs, seconds } = pace
  const rules = { ...pace, replicas: 3, slackMs: SLACK_MS }
  const fleet = await startFleet({ env: envOf(pace) })
  const stories = fleet.stories(EXPORTS)
  const follow = async () => {
    // The first 14 exports are watched on one replica only, the others on all three.
    const followers = stories.flatMap((story, number) =>
      fleet.replicas
        .filter((_, index) => number >= 14 || index === number % 3)
        .map((home) => fleet.follow({ client: `${number}-${home.name}`, stories: [story], home })),
    )
    await Promise.all(followers.map(({ told }) => told))
    return followers
  }
  // While all clients connect at once, they want more calls than the budget has. The rule of one poll
  // in an interval holds only for the polls after that, so the connecting counts as a disturbance.
  const followers = await fleet.disturb('connecting', 2 * intervalMs, follow)
  const stretches = 4
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    await delay((seconds * 1_000) / stretches)
    for (const story of stories) story.progress()
  }
  for (const story of stories) story.finish()
  await fleet.settled(followers, 3 * maxIntervalMs)

  const record = fleet.record()
  const longestMs = Math.min(maxIntervalMs, Math.max(intervalMs, seconds * 200))
  const finalWithinMs = 1.1 * longestMs + SLACK_MS
  expect(check(record, { window: calmWindow(windowMs), finalWithinMs, polls: rules })).toEqual([])
  const gaps = pollGaps(record, rules).map((gap) => gap.ms / gap.intervalMs)
  // Without polls the rule would prove nothing.
  expect(gaps.length).toBeGreaterThan(2 * EXPORTS)
  const closest = Math.min(...gaps)
  expect(closest).toBeGreaterThanOrEqual(0.9)
  const widest = Math.max(...gaps).toFixed(3)
  measured(
    `${gaps.length} polls, ${closest.toFixed(3)} to ${widest} intervals apart; ${busiest(record, windowMs)}`,
  )
  // A replica that is free also polls exports that are watched only on another one. More than 7
  // exports must have been polled by several replicas, and only 6 are watched on more than one.
  const byStory = Map.groupBy(record.calls, ({ key }) => key)
  const shared = [...byStory.values()].filter(
    (calls) => new Set(calls.map(({ replica }) => replica)).size > 1,
  )
  expect(shared.length).toBeGreaterThan(14 / 2)
}

interface Crowd {
  readonly windowMs: number
  readonly seconds: number
  /** The part of the budget that the replicas must use. A busy machine loses the rest. */
  readonly least: number
}

/** Checks that 200 exports keep the budget and use it. They want more calls than it has. */
export const watchTwoHundred = async ({ windowMs, seconds, least }: Crowd): Promise<void> => {
  const fleet = await startFleet({ env: { LEMLIST_RATE_WINDOW_MS: String(windowMs) } })
  for (const [number, story] of fleet.stories(200).entries()) {
    const home = fleet.replicas[number % 3]
    fleet.follow({ client: `${number}`, stories: [story], ...(home !== undefined && { home }) })
  }
  await fleet.lemlist.waitForCalls(1)
  await delay(seconds * 1_000)
  const record = fleet.record()
  expect(check(record, { window: calmWindow(windowMs) })).toEqual([])
  const given = (16 / windowMs) * 1_000 * seconds
  expect(record.calls.length).toBeGreaterThan(least * given)
  measured(
    `200 exports: ${record.calls.length} of ${given} calls in ${seconds} s; ${busiest(record, windowMs)}`,
  )
}

/** Checks that an export watched on one replica keeps its pace when it is read on another. */
export const readElsewhere = async (
  pace: Pick<Pace, 'firstMs' | 'intervalMs' | 'maxIntervalMs'>,
): Promise<void> => {
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
  await fleet.settled([follower], 3 * pace.intervalMs + SLACK_MS)
  const polls = { ...pace, replicas: 2, slackMs: SLACK_MS }
  const finalWithinMs = 1.1 * pace.intervalMs + SLACK_MS
  expect(check(fleet.record(), { window: calmWindow(), finalWithinMs, polls })).toEqual([])
}
