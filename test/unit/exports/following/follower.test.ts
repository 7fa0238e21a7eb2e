import { describe, expect, it } from 'vitest'
import { createFollower } from '../../../../src/exports/following/follower.ts'
import type { Update } from '../../../../src/exports/ports.ts'
import type { Claim, Tracking } from '../../../../src/exports/schedule.ts'
import { Problem } from '../../../../src/problems.ts'
import { fakeSchedule, trackingOf } from '../../../helpers/fake-schedule.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { DAY, fakeObserver, fakeResults, fakeUpdates, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const INTERVALS = {
  firstMs: 1_000,
  intervalMs: 5_000,
  maxIntervalMs: 15_000,
  idleIntervalMs: MINUTE,
}

const start = ({ watched = false } = {}) => {
  useFakeTime()
  const schedule = fakeSchedule()
  const results = fakeResults()
  const updates = fakeUpdates()
  const observer = fakeObserver()
  const due: number[] = []
  const follower = createFollower({
    schedule,
    results,
    updates,
    observer,
    intervals: INTERVALS,
    isWatched: () => watched,
    alarm: { set: (dueAt) => void due.push(dueAt - Date.now()) },
    exportTtlMs: 2 * HOUR,
    fileTtlMs: DAY,
    random: () => 0,
  })
  /** The row of the export: how long until it is due, and the fields that are no times. */
  const row = async () => {
    const [kept] = await schedule.find([REF])
    if (kept === undefined) return 'untracked'
    const { origin, misses, failures } = kept
    return { dueInMs: kept.dueAt - Date.now(), origin, misses, failures }
  }
  const told = () => updates.published.map(wordOf)
  return { follower, schedule, results, updates, observer, due, row, told }
}

const wordOf = (update: Update): string => {
  if (update.kind === 'status') return update.snapshot.state
  return update.kind === 'followed' ? update.kind : `${update.kind} ${update.code}`
}

const kept = (state: string, keptUntil?: number) => ({
  snapshot: snapshotOf(state, Date.now()),
  firstSeenAt: Date.now(),
  ...(keptUntil !== undefined && { keptUntil }),
})

const notFound = () => new Problem('export-not-found', 'unknown', { upstreamStatus: 404 })
const badTeam = () => new Problem('campaign-not-found', 'bad team', { upstreamStatus: 400 })
const down = () => new Problem('upstream-unavailable', 'down')

describe('a poll that finds the export final', () => {
  it('is the last one when the store has kept the status', async () => {
    const { follower, schedule, row } = start()
    await follower.settle(await schedule.claimed(), kept('done', Date.now() + DAY))
    expect(await row()).toBe('untracked')
  })

  it('is not the last one while the store cannot keep the status, so that the link is not lost', async () => {
    const { follower, schedule, row } = start({ watched: true })
    await follower.settle(await schedule.claimed(), kept('done'))
    expect(await row()).toMatchObject({ dueInMs: 10_000, origin: 'pending', failures: 1 })
  })

  it('tells how long ago the look before was, which is the longest that a watcher has waited', async () => {
    // Regression: when somebody had begun to watch just before, it told the idle interval of a minute.
    const { follower, schedule, observer } = start()
    const times = { dueAt: Date.now(), lookedAt: Date.now() - 3_000, intervalMs: MINUTE }
    const claim = await schedule.claimed({ watched: true, ...times })
    await follower.settle(claim, kept('done', Date.now() + DAY))
    expect(observer.told).toEqual(['detected 3000'])
  })

  it('tells no delay below zero after the clock was set back', async () => {
    const { follower, schedule, observer } = start()
    const claim = await schedule.claimed({ watched: true, firstSeenAt: Date.now() + HOUR })
    await follower.settle(claim, kept('done', Date.now() + DAY))
    expect(observer.told).toEqual(['detected 0'])
  })

  it('ends the polling even when a look of a caller has taken the claim away', async () => {
    const { follower, schedule, row } = start()
    const claim = await schedule.claimed()
    await follower.note(REF, kept('pending'))
    await follower.settle(claim, kept('done', Date.now() + DAY))
    expect(await row()).toBe('untracked')
  })
})

describe('a poll that finds the export pending', () => {
  it('is repeated at the idle pace while nobody watches', async () => {
    const { follower, schedule, row } = start()
    await follower.settle(await schedule.claimed(), kept('pending'))
    expect(await row()).toEqual({ dueInMs: MINUTE, origin: 'pending', misses: 0, failures: 0 })
  })

  it.each([
    [10_000, 5_000],
    [MINUTE, 10_000],
    [HOUR, 15_000],
  ])(
    'at the age of %d ms is repeated %d ms later while somebody watches here',
    async (ageMs, dueInMs) => {
      const { follower, schedule, row } = start({ watched: true })
      const claim = await schedule.claimed({ firstSeenAt: Date.now() - ageMs })
      await follower.settle(claim, kept('pending'))
      expect(await row()).toMatchObject({ dueInMs })
    },
  )

  it('is noted with the time of its look', async () => {
    const { follower, schedule } = start()
    await follower.settle(await schedule.claimed(), kept('pending'))
    expect((await schedule.find([REF]))[0]).toMatchObject({ lookedAt: Date.now() })
  })

  it('is repeated at the pace of watched exports while somebody watches on another replica', async () => {
    const { follower, schedule, row } = start()
    const claim = await schedule.claimed({ watched: true })
    await follower.settle(claim, kept('pending'))
    expect(await row()).toMatchObject({ dueInMs: 5_000 })
  })

  it('forgets the misses and failures before it', async () => {
    const { follower, schedule, row } = start()
    await follower.settle(await schedule.claimed({ misses: 2, failures: 3 }), kept('pending'))
    expect(await row()).toMatchObject({ misses: 0, failures: 0 })
  })

  it.each(['started', 'watched'] as const)(
    'changes the origin of the export from %s to pending',
    async (origin) => {
      const { follower, schedule, row } = start({ watched: true })
      await follower.settle(await schedule.claimed({ origin }), kept('pending'))
      expect(await row()).toMatchObject({ origin: 'pending' })
    },
  )

  it('changes nothing when the claim is lost meanwhile', async () => {
    const { follower, schedule, row } = start()
    const claim = await schedule.claimed()
    await schedule.track([trackingOf(REF, { dueAt: Date.now() + 123 })])
    await follower.settle(claim, kept('pending'))
    expect(await row()).toMatchObject({ dueInMs: 123 })
  })
})

describe('a poll of an unconfirmed export whose last watcher left during the look', () => {
  it('makes the gateway follow the export when lemlist says that it is pending', async () => {
    // Regression: the schedule had forgotten the export, so nobody followed it to its end.
    const { follower, schedule, row } = start()
    const claim = await schedule.claimed({ origin: 'watched' })
    await schedule.untrack(REF)
    await follower.settle(claim, kept('pending'))
    expect(await row()).toMatchObject({ dueInMs: MINUTE, origin: 'pending' })
  })

  it('is not repeated when it fails', async () => {
    const { follower, schedule, row } = start()
    const claim = await schedule.claimed({ origin: 'watched' })
    await schedule.untrack(REF)
    await follower.fail(claim, down())
    expect(await row()).toBe('untracked')
  })
})

describe('an export in a state that lemlist has not documented', () => {
  it('is still followed, at the idle pace, even when somebody watches', async () => {
    const { follower, schedule, row } = start({ watched: true })
    await follower.settle(await schedule.claimed(), kept('queued'))
    expect(await row()).toMatchObject({ dueInMs: MINUTE, origin: 'pending' })
  })
})

describe('a followed export that lemlist does not know any more', () => {
  const startMissed = async (misses: number, watched = true) => {
    const one = start({ watched })
    await one.schedule.claimed()
    for (let i = 0; i < misses; i += 1) {
      await one.follower.fail(await one.schedule.claimedAgain(), notFound())
    }
    return one
  }

  it.each([1, 2])(
    'is looked at again after %d such looks, a poll interval later',
    async (misses) => {
      const { row, told, results } = await startMissed(misses)
      expect(await row()).toEqual({ dueInMs: 5_000, origin: 'pending', misses, failures: 0 })
      expect([told(), results.records.size]).toEqual([[], 0])
    },
  )

  it('is gone after three such looks: the verdict is stored for a day and told, and polling ends', async () => {
    const { row, told, results } = await startMissed(3)
    expect([...results.records.values()]).toEqual([
      { kind: 'timed-out', forgetAt: Date.now() + DAY },
    ])
    expect([await row(), told()]).toEqual(['untracked', ['gone export-timed-out']])
  })

  it('is not gone when it was seen in between', async () => {
    const { follower, schedule, row, told } = await startMissed(2)
    await follower.settle(await schedule.claimedAgain(), kept('pending'))
    await follower.fail(await schedule.claimedAgain(), notFound())
    expect([await row(), told()]).toMatchObject([{ misses: 1 }, []])
  })

  it('is told as done when another replica has stored that status', async () => {
    const { follower, schedule, results, row, told } = await startMissed(2)
    const snapshot = { ...snapshotOf('done', Date.now()), endOfLife: Date.now() + DAY }
    await results.put(REF, { kind: 'final', snapshot, forgetAt: Date.now() + 2 * DAY })
    await follower.fail(await schedule.claimedAgain(), notFound())
    expect([await row(), told()]).toEqual(['untracked', ['done']])
  })

  it('is told as gone even when the store cannot keep the verdict', async () => {
    const { follower, schedule, results, row, told, observer } = await startMissed(2)
    results.failure = new Error('full')
    await follower.fail(await schedule.claimedAgain(), notFound())
    expect([await row(), told()]).toEqual(['untracked', ['gone export-timed-out']])
    expect(observer.told).toEqual(['storeFailed results.put'])
  })

  it('is looked at again after its normal interval even when earlier looks failed', async () => {
    const { follower, schedule, row } = start({ watched: true })
    await follower.fail(await schedule.claimed({ failures: 4 }), notFound())
    expect(await row()).toMatchObject({ dueInMs: 5_000, failures: 0, misses: 1 })
  })

  it('is looked at at the idle pace while nobody watches', async () => {
    const { row } = await startMissed(1, false)
    expect(await row()).toMatchObject({ dueInMs: MINUTE, misses: 1 })
  })
})

describe('an export that was started here', () => {
  it('does not count a 404 as a miss in its first minute, when lemlist may not know it yet', async () => {
    const { follower, schedule, row, told } = start()
    const firstSeenAt = Date.now() - 59_000
    for (let i = 0; i < 5; i += 1) {
      await follower.fail(await schedule.claimed({ origin: 'started', firstSeenAt }), notFound())
    }
    expect(await row()).toMatchObject({ origin: 'started', misses: 0 })
    expect(told()).toEqual([])
  })

  it('counts a 404 as a miss from its second minute on', async () => {
    const { follower, schedule, row } = start()
    const firstSeenAt = Date.now() - MINUTE
    await follower.fail(await schedule.claimed({ origin: 'started', firstSeenAt }), notFound())
    expect(await row()).toMatchObject({ origin: 'started', misses: 1 })
  })

  it('is followed from its start, at the pace of watched exports when somebody watches', async () => {
    const { follower, row } = start({ watched: true })
    await follower.begin(REF)
    expect(await row()).toEqual({ dueInMs: 1_000, origin: 'started', misses: 0, failures: 0 })
  })
})

describe('an export whose start is repeated', () => {
  it('keeps its next look when it is followed', async () => {
    // Regression: each repetition put the next look off, so a caller who repeated it often enough
    // kept the gateway from looking at all.
    const { follower, schedule, row } = start()
    await schedule.track([trackingOf(REF, { dueAt: Date.now() + 123 })])
    await follower.resume(REF)
    expect(await row()).toMatchObject({ dueInMs: 123, origin: 'pending' })
  })

  it.each([false, true])(
    'is followed when it is not confirmed yet (watched: %s)',
    async (watched) => {
      const { follower, schedule, row } = start({ watched })
      if (watched) await schedule.adopt([trackingOf(REF, { origin: 'watched' })])
      await follower.resume(REF)
      expect(await row()).toMatchObject({ origin: 'started' })
    },
  )
})

describe('an export that is watched and was never seen', () => {
  const watchedOnly = { origin: 'watched', watched: true } as const

  it.each([
    [notFound, 'gone export-not-found'],
    [badTeam, 'gone campaign-not-found'],
  ])('is gone at the first 404', async (refusal, word) => {
    const { follower, schedule, results, row, told } = start()
    await follower.fail(await schedule.claimed(watchedOnly), refusal())
    expect([await row(), told(), results.records.size]).toEqual(['untracked', [word], 0])
  })

  it('is asked for again, at growing intervals, while lemlist is in trouble', async () => {
    const { follower, schedule, row, told } = start()
    await follower.fail(await schedule.claimed({ ...watchedOnly, failures: 1 }), down())
    expect(await row()).toMatchObject({ dueInMs: 20_000, origin: 'watched', failures: 2 })
    expect(told()).toEqual(['trouble upstream-unavailable'])
  })
})

describe('a poll that fails', () => {
  it('is told as trouble and repeated at growing intervals, up to a minute', async () => {
    const { follower, schedule, row, told } = start({ watched: true })
    await schedule.claimed()
    const waits: unknown[] = []
    for (let i = 0; i < 5; i += 1) {
      await follower.fail(await schedule.claimedAgain(), down())
      const now = await row()
      waits.push(typeof now === 'string' ? now : now.dueInMs)
    }
    expect(waits).toEqual([10_000, 20_000, 40_000, MINUTE, MINUTE])
    expect(new Set(told())).toEqual(new Set(['trouble upstream-unavailable']))
  })

  it('does not end a followed export when lemlist says "Bad team"', async () => {
    const { follower, schedule, results, row, told } = start({ watched: true })
    await schedule.claimed()
    for (let i = 0; i < 4; i += 1) {
      await follower.fail(await schedule.claimedAgain(), badTeam())
    }
    expect(await row()).toMatchObject({ misses: 0, failures: 4 })
    expect(new Set(told())).toEqual(new Set(['trouble campaign-not-found']))
    expect(results.records.size).toBe(0)
  })

  it('keeps the count of looks at which lemlist did not know the export', async () => {
    const { follower, schedule, row } = start({ watched: true })
    await follower.fail(await schedule.claimed({ misses: 2 }), down())
    expect(await row()).toMatchObject({ misses: 2, failures: 1 })
  })

  it('ends the polling when the export is stored as expired', async () => {
    const { follower, schedule, row, told } = start({ watched: true })
    await follower.fail(await schedule.claimed(), new Problem('export-expired', 'over'))
    expect([await row(), told()]).toEqual(['untracked', ['gone export-expired']])
  })

  it('because of a bug is reported to the operator, and watchers are told nothing but `internal`', async () => {
    const { follower, schedule, row, updates, observer } = start({ watched: true })
    await follower.fail(await schedule.claimed(), new TypeError('secret'))
    expect(await row()).toMatchObject({ failures: 1 })
    expect(observer.told).toEqual(['failed poll'])
    expect(updates.published).toMatchObject([{ kind: 'trouble', code: 'internal' }])
    expect(JSON.stringify(updates.published)).not.toContain('secret')
  })
})

describe('an export that is pending for ever', () => {
  const ends: [string, (one: ReturnType<typeof start>, claim: Claim) => Promise<void>][] = [
    ['an answer', ({ follower }, claim) => follower.settle(claim, kept('pending'))],
    ['a failure', ({ follower }, claim) => follower.fail(claim, down())],
  ]

  it.each(ends)(
    'is still followed 2 h 15 min after it was first seen when a look ends with %s',
    async (_, end) => {
      const one = start()
      await end(one, await one.schedule.claimed({ firstSeenAt: Date.now() - 2.25 * HOUR }))
      expect(await one.row()).not.toBe('untracked')
    },
  )

  it.each(ends)(
    'is given up after three looks in a row that come later than that when each ends with %s',
    async (_, end) => {
      // Regression: a clock that jumped ahead made all exports old at once, and the gateway gave each
      // of them up at its next look.
      const one = start()
      await one.schedule.claimed({ firstSeenAt: Date.now() - 2.25 * HOUR - 1 })
      for (let look = 1; look <= 3; look += 1) {
        expect(await one.row()).not.toBe('untracked')
        await end(one, await one.schedule.claimedAgain())
      }
      expect(await one.row()).toBe('untracked')
    },
  )

  it.each(ends)(
    'is not given up while somebody watches when a look ends with %s',
    async (_, end) => {
      const one = start({ watched: true })
      await end(one, await one.schedule.claimed({ firstSeenAt: Date.now() - DAY }))
      expect(await one.row()).not.toBe('untracked')
    },
  )
})

describe('a look of a caller', () => {
  it('makes the gateway follow a pending export', async () => {
    const { follower, row, due } = start()
    await follower.note(REF, kept('pending'))
    expect(await row()).toEqual({ dueInMs: MINUTE, origin: 'pending', misses: 0, failures: 0 })
    expect(due).toEqual([MINUTE])
  })

  it('puts the next poll off', async () => {
    const { follower, schedule, row } = start({ watched: true })
    const firstSeenAt = Date.now() - 10_000
    await schedule.track([trackingOf(REF, { firstSeenAt, dueAt: Date.now() + 1 })])
    await follower.note(REF, { snapshot: snapshotOf('pending', Date.now()), firstSeenAt })
    expect(await row()).toMatchObject({ dueInMs: 5_000 })
  })

  // Regression: a read on a second replica put the next look off by a minute, although somebody
  // watched on the first.
  it('keeps the pace of watched exports when only another replica has watchers', async () => {
    const { follower, schedule, row } = start()
    await schedule.track([trackingOf(REF)])
    await schedule.watch([{ ref: REF }])
    await follower.note(REF, kept('pending'))
    expect(await row()).toMatchObject({ dueInMs: 5_000 })
  })

  // Regression: the first look on a second replica counted as the first of all, and another one
  // came a second later.
  it('plans the next one by the age of the export, not by when this replica first saw it', async () => {
    const { follower, schedule, row } = start({ watched: true })
    await schedule.track([trackingOf(REF, { firstSeenAt: Date.now() - MINUTE })])
    await follower.note(REF, kept('pending'))
    expect(await row()).toMatchObject({ dueInMs: 10_000 })
  })

  it('ends the polling of an export whose final status is stored, and only of such a one', async () => {
    const { follower, schedule, row } = start()
    await schedule.claimed()
    await follower.note(REF, kept('done'))
    expect(await row()).toMatchObject({ origin: 'pending' })
    await follower.note(REF, kept('done', Date.now() + DAY))
    expect(await row()).toBe('untracked')
  })

  it('tells the operator when the schedule has no room for its export', async () => {
    const { follower, schedule, observer } = start()
    schedule.track = async () => [REF]
    await follower.note(REF, kept('pending'))
    expect(observer.told).toEqual(['scheduleFull 1'])
  })
})

describe('the standing of an export', () => {
  it.each<[Partial<Tracking>, string]>([
    [{ origin: 'pending' }, 'followed'],
    [{ origin: 'watched' }, 'none'],
    [{ origin: 'started', firstSeenAt: -59_999 }, 'young'],
    [{ origin: 'started', firstSeenAt: -MINUTE }, 'followed'],
  ])('with %j, times counted from now, is %s', async (fields, standing) => {
    const { follower, schedule } = start()
    const { firstSeenAt = 0 } = fields
    await schedule.claimed({ ...fields, firstSeenAt: Date.now() + firstSeenAt })
    expect(await follower.standing(REF)).toBe(standing)
  })

  it('is none when it is not tracked, or when the schedule cannot be asked', async () => {
    const { follower, schedule } = start()
    expect(await follower.standing(REF)).toBe('none')
    schedule.failure = new Error('away')
    expect(await follower.standing(REF)).toBe('none')
  })
})

describe('a store that fails', () => {
  it('makes no call of the follower reject: the gateway goes on without the store', async () => {
    const { follower, schedule, observer, told } = start({ watched: true })
    const claim = await schedule.claimed()
    schedule.failure = new Error('away')
    await follower.note(REF, kept('pending'))
    await follower.note(REF, kept('done', Date.now() + DAY))
    await follower.begin(REF)
    await follower.settle(claim, kept('pending'))
    await follower.fail(claim, down())
    expect(told()).toEqual(['trouble upstream-unavailable'])
    expect(observer.told.map((line) => line.replace('storeFailed schedule.', ''))).toEqual([
      ...['find', 'track', 'untrack', 'track', 'reschedule', 'reschedule'],
    ])
  })
})
