import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createAlarm } from '../../../../src/exports/following/alarm.ts'
import { createTracker } from '../../../../src/exports/following/tracker.ts'
import type { Look, Turn } from '../../../../src/exports/ports.ts'
import type { Flight } from '../../../../src/exports/reading/looker.ts'
import type { Claim } from '../../../../src/exports/schedule.ts'
import { Problem } from '../../../../src/problems.ts'
import { fakeSchedule, trackingOf, VISIBILITY_MS } from '../../../helpers/fake-schedule.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { fakeObserver, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const refOf = (number: number) => ({ ...REF, exportId: `axp_${number}` })

/** A tracker whose looks end when the test says so. Its follower is a fake that plans no look. */
const start = ({ places = 4 } = {}) => {
  /** What the rest of the gateway knows. The test sets it. */
  const given = { pausedMs: 0, watched: new Set<string>() }
  useFakeTime()
  const schedule = fakeSchedule()
  const observer = fakeObserver()
  const flights: {
    ref: string
    turn: Turn
    leave(): void
    answer(): void
    fail(error?: Error): void
  }[] = []
  const settled: string[] = []
  const follower = {
    settle: async ({ ref }: Claim) => void settled.push(`settled ${ref.exportId}`),
    fail: async ({ ref }: Claim) => void settled.push(`failed ${ref.exportId}`),
    giveBack: async ({ ref }: Claim) => void settled.push(`given back ${ref.exportId}`),
  }
  const alarm = createAlarm()
  const tracker = createTracker({
    schedule,
    alarm,
    observer,
    places,
    standMs: 4_500,
    pausedMs: async () => given.pausedMs,
    isWatched: ({ exportId }) => given.watched.has(exportId),
    follower: {
      settle: (claim) => follower.settle(claim),
      fail: (claim) => follower.fail(claim),
      giveBack: (claim) => follower.giveBack(claim),
    },
    longestTurnMs: 15_000,
    looker: {
      look: (ref, turn) => {
        const started = Promise.withResolvers<void>()
        const answer = Promise.withResolvers<Awaited<Flight['answer']>>()
        const look: Look = {
          started: started.promise,
          answer: new Promise(() => {}),
          isWaiting: () => true,
          hurry: () => {},
        }
        flights.push({
          ref: ref.exportId,
          turn,
          leave: started.resolve,
          answer: () => answer.resolve({ snapshot: snapshotOf('pending', 0), firstSeenAt: 0 }),
          fail: (error = new Error('no')) => answer.reject(error),
        })
        return { flight: { look, answer: answer.promise }, joined: false }
      },
    },
  })
  onTestFinished(() => tracker.stop())
  const track = (numbers: readonly number[], dueInMs = 0, intervalMs = 5_000) =>
    Promise.all(
      numbers.map((number) =>
        schedule.track([trackingOf(refOf(number), { dueAt: Date.now() + dueInMs, intervalMs })]),
      ),
    )
  const flight = (number: number) => {
    const found = flights[number]
    if (found === undefined) throw new Error(`there was no look ${number}`)
    return found
  }
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  const looked = () => flights.map(({ ref }) => ref)
  return {
    given,
    tracker,
    alarm,
    schedule,
    observer,
    follower,
    flight,
    looked,
    settled,
    track,
    pass,
  }
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

describe('the tracker', () => {
  it('looks at an export once, when it is due and not before', async () => {
    const { tracker, track, pass, looked } = start()
    await track([1], 700)
    tracker.start()
    await pass(699)
    expect(looked()).toEqual([])
    await pass(1)
    expect(looked()).toEqual(['axp_1'])
    await pass(VISIBILITY_MS - 1)
    expect(looked()).toEqual(['axp_1'])
  })

  it('makes a poll due in line an interval after its due time, so that callers go first', async () => {
    const { tracker, track, pass, flight } = start()
    await track([1], 0, 5_000)
    await pass(250)
    tracker.start()
    await pass(0)
    const { due, giveUpAt, callClass } = flight(0).turn
    expect({ due, giveUpAt, callClass }).toEqual({ due: 5_000, giveUpAt: 4_750, callClass: 'idle' })
  })

  it('makes a poll that is overdue by more than an interval due now, behind the callers who wait', async () => {
    const { tracker, track, pass, flight } = start()
    await track([1], -90_000, 5_000)
    await pass(250)
    tracker.start()
    await pass(0)
    expect(flight(0).turn).toMatchObject({ due: 250 })
  })

  it('keeps places in line for each class, however many polls of another class stand there', async () => {
    const { tracker, track, pass, looked, schedule, given } = start({ places: 2 })
    await track([1, 2, 3, 4])
    for (const number of [3, 4]) given.watched.add(refOf(number).exportId)
    await schedule.watch([{ ref: refOf(3) }, { ref: refOf(4) }])
    await schedule.adopt([trackingOf(refOf(5), { origin: 'watched' })])
    tracker.start()
    await pass(0)
    expect(looked().sort()).toEqual([1, 2, 3, 4, 5].map((number) => `axp_${number}`))
  })

  it('claims nothing while lemlist has paused the key', async () => {
    // Regression: claims ended while their polls stood in line, and other replicas made the same looks.
    const { tracker, track, pass, looked, schedule, given } = start()
    given.pausedMs = 40_000
    await track([1])
    tracker.start()
    await pass(39_000)
    expect(schedule.asked).not.toContain('claim')
    given.pausedMs = 0
    await pass(1_000)
    expect(looked()).toEqual(['axp_1'])
  })

  it('gives a claim back unchanged when the waiting line turned its poll away', async () => {
    const { tracker, track, pass, flight, settled } = start()
    await track([1])
    tracker.start()
    await pass(0)
    flight(0).leave()
    flight(0).fail(new Problem('budget-exhausted', 'no slot', { notSent: true }))
    await pass(0)
    expect(settled).toEqual(['given back axp_1'])
  })

  it('rests after the waiting line turned a poll away', async () => {
    // Regression: a line that was full turned polls away at once, and the tracker claimed them again
    // at once. The process did nothing else, for ever.
    const { tracker, track, pass, flight, follower, schedule, looked } = start({ places: 1 })
    follower.giveBack = async (claim) => void (await schedule.reschedule(claim, claim))
    await track([1])
    tracker.start()
    await pass(0)
    for (const _ of range(10)) {
      flight(looked().length - 1).leave()
      flight(looked().length - 1).fail(new Problem('budget-exhausted', '', { notSent: true }))
      await pass(0)
    }
    expect(looked()).toHaveLength(1)
    await pass(100)
    expect(looked()).toHaveLength(2)
  })

  it('lets no poll wait in line for so long that its claim would end before its call', async () => {
    const { tracker, track, pass, flight } = start()
    await track([1])
    tracker.start()
    await pass(0)
    expect(flight(0).turn.latestAt).toBe(performance.now() + 4_500)
  })

  it('tells the follower of a 429 of lemlist as a failed look', async () => {
    const { tracker, track, pass, flight, settled } = start()
    await track([1])
    tracker.start()
    await pass(0)
    flight(0).fail(new Problem('budget-exhausted', 'lemlist says so'))
    await pass(0)
    expect(settled).toEqual(['failed axp_1'])
  })

  it('no longer wants the poll of an unconfirmed export when its watchers have left', async () => {
    const { tracker, pass, flight, schedule, given } = start()
    given.watched.add('axp_1')
    await schedule.adopt([1, 2].map((number) => trackingOf(refOf(number), { origin: 'watched' })))
    tracker.start()
    await pass(0)
    expect(flight(0).turn.isWanted?.()).toBe(true)
    given.watched.clear()
    expect(flight(0).turn.isWanted?.()).toBe(false)
    // The second export is watched only on another replica. This replica cannot know when that ends.
    expect(flight(1).turn.isWanted).toBeUndefined()
  })

  it('claims only as many exports as there are places in line, those looked at longest ago first', async () => {
    const { tracker, track, pass, looked, flight } = start({ places: 2 })
    await track([1, 2, 3])
    tracker.start()
    await pass(0)
    expect(looked()).toEqual(['axp_1', 'axp_2'])
    await track([4], 0, 10_000)
    flight(0).leave()
    await pass(1)
    expect(looked()).toEqual(['axp_1', 'axp_2', 'axp_4'])
    flight(1).leave()
    flight(2).leave()
    await pass(1)
    expect(looked()).toEqual(['axp_1', 'axp_2', 'axp_4', 'axp_3'])
  })

  it('needs one timer for 300 exports', async () => {
    const { tracker, track, pass } = start()
    await track(range(300), 5_000)
    const before = vi.getTimerCount()
    tracker.start()
    await pass(0)
    expect(vi.getTimerCount() - before).toBe(1)
  })

  it('wakes up earlier when an alarm is set for an earlier time', async () => {
    const { tracker, alarm, track, pass, looked } = start()
    await track([1], 900)
    tracker.start()
    await pass(0)
    await track([2], 100)
    alarm.set(Date.now() + 100)
    await pass(100)
    expect(looked()).toEqual(['axp_2'])
    await pass(800)
    expect(looked()).toEqual(['axp_2', 'axp_1'])
  })

  it('does not ask the schedule when an alarm is set for no earlier time', async () => {
    const { tracker, alarm, track, pass, schedule } = start()
    await track([1], 100)
    tracker.start()
    await pass(0)
    const asked = schedule.asked.length
    for (const dueInMs of [100, 200, 300]) alarm.set(Date.now() + dueInMs)
    await pass(0)
    expect(schedule.asked).toHaveLength(asked)
  })

  it('finds within a second an export that another replica has brought forward', async () => {
    const { tracker, track, pass, looked } = start()
    await track([1], 60_000)
    tracker.start()
    await pass(10)
    await track([2], 0)
    await pass(1_000)
    expect(looked()).toEqual(['axp_2'])
  })

  it('does not miss an export that becomes due while it asks the schedule', async () => {
    const { tracker, alarm, track, pass, looked, schedule } = start()
    const gate = Promise.withResolvers<void>()
    schedule.gate = gate.promise
    tracker.start()
    await pass(0)
    await track([1])
    alarm.set(Date.now())
    gate.resolve()
    await pass(2)
    expect(looked()).toEqual(['axp_1'])
  })

  it.each(range(16))(
    // Regression: the tracker slept for a second when a place became free between its question to
    // the schedule and its sleep.
    'does not miss a place that becomes free %d microtasks after it asked the schedule',
    async (turns) => {
      const { tracker, alarm, track, pass, looked, flight } = start({ places: 1 })
      await track([1, 2])
      tracker.start()
      await pass(10)
      alarm.set(Date.now())
      for (let turn = 0; turn < turns; turn += 1) await null
      flight(0).leave()
      await pass(2)
      expect(looked()).toEqual(['axp_1', 'axp_2'])
    },
  )

  it('tells the follower how each look ended', async () => {
    const { tracker, track, pass, flight, settled } = start()
    await track([1, 2])
    tracker.start()
    await pass(0)
    flight(0).answer()
    flight(1).fail()
    await pass(0)
    expect(settled).toEqual(['settled axp_1', 'failed axp_2'])
  })

  it('goes on when the schedule fails, a second later', async () => {
    const { tracker, track, pass, looked, schedule, observer } = start()
    await track([1])
    schedule.failure = new Error('away')
    tracker.start()
    await pass(1_500)
    expect(observer.told).toEqual(['storeFailed schedule.claim', 'storeFailed schedule.claim'])
    schedule.failure = undefined
    await pass(1_000)
    expect(looked()).toEqual(['axp_1'])
  })

  it('goes on when the follower fails after a look, and reports a bug', async () => {
    const { tracker, track, pass, looked, flight, follower, observer } = start()
    follower.settle = () => Promise.reject(new Error('a bug'))
    await track([1])
    await track([2], 100)
    tracker.start()
    await pass(0)
    flight(0).answer()
    await pass(100)
    expect([observer.told, looked()]).toEqual([['failed poll'], ['axp_1', 'axp_2']])
  })

  it('claims nothing once it is stopped, and leaves no timer', async () => {
    const { tracker, alarm, track, pass, looked, schedule } = start()
    const before = vi.getTimerCount()
    tracker.start()
    await pass(0)
    tracker.stop()
    await track([1])
    alarm.set(Date.now())
    const asked = schedule.asked.length
    await pass(5_000)
    expect([looked(), schedule.asked.length, vi.getTimerCount()]).toEqual([[], asked, before])
  })

  // Regression: a stop counted every poll that still stood in line as a failure, so that these
  // polls backed off after the restart.
  it('gives a claim back when it is stopped before the look', async () => {
    const { tracker, track, pass, flight, settled } = start()
    await track([1])
    tracker.start()
    await pass(0)
    tracker.stop()
    flight(0).fail()
    await pass(0)
    expect(settled).toEqual(['given back axp_1'])
  })

  // Regression: an idle poll kept its place in line for a minute while callers kept lemlist busy.
  it('lets no poll stand behind callers for longer than the longest interval of watched exports', async () => {
    const { tracker, track, pass, flight } = start()
    await track([1], 0, 60_000)
    tracker.start()
    await pass(0)
    expect(flight(0).turn).toMatchObject({ due: performance.now() + 15_000 })
  })

  it('runs once, however often it is started', async () => {
    const { tracker, pass, schedule } = start()
    tracker.start()
    tracker.start()
    await pass(0)
    expect(schedule.asked).toEqual(['claim'])
  })
})
