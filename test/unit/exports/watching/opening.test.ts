import { describe, expect, it, vi } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import { Problem } from '../../../../src/problems.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'
import {
  codeOf,
  down,
  notFound,
  observed,
  reading,
  type Standing,
  start,
  timedOut,
} from './fixtures.ts'

describe('the first watcher', () => {
  it('joins before it reads, so that it is told what comes during the read', async () => {
    const { watch, hub, join, read, settled } = start()
    const { told } = join()
    const first = watch.first(REF)
    await settled()
    hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('done', Date.now()) }, 'elsewhere')
    read().resolve(reading('pending'))
    await first
    expect(told).toEqual(['done'])
  })

  it('is told a known end, without a look', async () => {
    const { watch, known, join, reads } = start()
    known.end = reading('done', { how: 'hit' })
    const { told } = join()
    await watch.first(REF)
    expect([told, reads]).toEqual([['done'], []])
  })

  it('is the only one who waits: a later one is told at once what the topic has', async () => {
    const { watch, known, join } = start()
    known.stale = observed(4_999, 20_000)
    join()
    await watch.first(REF)
    join()
    expect(watch.first(REF)).toBeUndefined()
  })

  it('is told a young observation without a look, and the next look is brought forward', async () => {
    const { watch, known, join, reads, planned } = start()
    known.stale = observed(4_999, 20_000)
    const { told } = join()
    await watch.first(REF)
    expect([told, reads, planned()]).toEqual([['pending'], [], ['hasten 20000 4999']])
  })

  it.each([
    [5_000, 10_000, 1],
    [9_999, 60_000, 0],
    [14_999, 600_000, 0],
    [15_000, 600_000, 1],
  ])(
    'costs, with an observation %d ms old of an export first seen %d ms ago, %d looks',
    async (ageMs, lifeMs, looks) => {
      const { watch, known, join, reads, settled } = start()
      known.stale = observed(ageMs, lifeMs)
      join()
      void watch.first(REF)
      await settled()
      expect(reads).toHaveLength(looks)
    },
  )

  it('that leaves early does not keep a second one from being told', async () => {
    // Regression: the first watcher left before the schedule had answered, and the second one was
    // told nothing until the next poll.
    const { watch, known, join, settled } = start()
    const schedule = Promise.withResolvers<void>()
    known.stale = observed(1_000)
    known.schedule = schedule.promise
    const one = join()
    void watch.first(REF)
    await settled()
    one.leave()
    const { told } = join()
    const first = watch.first(REF)
    schedule.resolve()
    await first
    expect(told).toEqual(['pending'])
  })
})

describe('what was read for a watcher', () => {
  it('replaces no newer status that came while the schedule was slow', async () => {
    // Regression: the young observation was told after the wait as if lemlist had just said it.
    const { watch, hub, known, join, settled } = start()
    const schedule = Promise.withResolvers<void>()
    const young = observed(1_000)
    known.stale = young
    known.schedule = schedule.promise
    join()
    const first = watch.first(REF)
    await settled()
    const newer = snapshotOf('pending', Date.now(), 'newer')
    hub.dispatch(REF, { kind: 'status', snapshot: newer }, 'elsewhere')
    schedule.resolve()
    await first
    expect(hub.topic(REF)?.snapshot).toBe(newer)
  })

  it('replaces no newer status that came while the look was noted', async () => {
    // Regression: a look that Redis was slow to note was told again after the look that followed it.
    const { watch, hub, join, read, settled } = start()
    join()
    const first = watch.first(REF)
    await settled()
    const older = reading('pending', { snapshot: snapshotOf('pending', Date.now() - 60, 'older') })
    const newer = snapshotOf('pending', Date.now(), 'newer')
    hub.dispatch(REF, { kind: 'status', snapshot: newer }, 'here')
    read().resolve(older)
    await first
    expect(hub.topic(REF)?.snapshot).toBe(newer)
  })

  it.each(['pending', 'done'])(
    'gives way to a newer `%s` that came while nobody watched',
    async (state) => {
      // Regression: the first watcher had left, and the second one was told what the first had asked for.
      const { watch, hub, known, join, settled } = start()
      const schedule = Promise.withResolvers<void>()
      known.stale = observed(1_000)
      known.schedule = schedule.promise
      const one = join()
      void watch.first(REF)
      await settled()
      one.leave()
      const newer = snapshotOf(state, Date.now(), 'newer')
      known.newest = newer
      join()
      const first = watch.first(REF)
      schedule.resolve()
      await first
      expect(hub.topic(REF)?.snapshot).toBe(newer)
    },
  )
})

describe('10 000 watchers who join at once', () => {
  it('cost one look, and are all told', async () => {
    const { watch, join, reads, read, settled } = start()
    const crowd = Array.from({ length: 10_000 }, join)
    const firsts = crowd.map(() => watch.first(REF))
    await settled()
    read().resolve(reading('pending'))
    await Promise.all(firsts)
    await vi.advanceTimersByTimeAsync(100)
    expect(reads).toHaveLength(1)
    expect(new Set(crowd.map(({ told }) => told.join()))).toEqual(new Set(['pending']))
  })

  it('cost no look when there is a young observation', async () => {
    const { watch, known, join, reads } = start()
    known.stale = observed(1_000)
    const crowd = Array.from({ length: 10_000 }, join)
    await Promise.all(crowd.map(() => watch.first(REF)))
    expect(reads).toEqual([])
  })

  it('cost no look when the export is already watched, even in trouble', async () => {
    const { watch, hub, join, reads } = start()
    join()
    hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' }, 'elsewhere')
    const crowd = Array.from({ length: 10_000 }, join)
    await Promise.all(crowd.map(() => watch.first(REF)))
    expect(reads).toEqual([])
  })
})

describe('a refusal', () => {
  it.each([
    notFound,
    () => new Problem('campaign-not-found', ''),
    timedOut,
    () => new Problem('export-expired', ''),
  ])(
    'that will not pass refuses those who join, and is told to those who watch',
    async (refusal) => {
      const { watch, join, read, settled } = start()
      const { told } = join()
      const codes = [codeOf(watch.first(REF)), codeOf(watch.first(REF))]
      await settled()
      read().reject(refusal())
      const { code } = refusal()
      expect(await Promise.all(codes)).toEqual([code, code])
      expect(told).toEqual([code])
    },
  )

  it.each([
    down,
    () => new Problem('budget-exhausted', ''),
    () => new Problem('upstream-credentials', ''),
  ])('that may pass is told as trouble, and lemlist is asked again', async (refusal) => {
    const { watch, join, read, planned, settled } = start()
    const { told } = join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().reject(refusal())
    expect([await first, told, planned()]).toEqual([
      'fine',
      [refusal().code],
      ['adopt after a failure'],
    ])
  })

  it('because the waiting line turned the look away leaves it to the shared poll, due at once', async () => {
    // Regression: 150 of 200 new watchers had to wait for an interval, and half of the budget was not
    // used.
    const { watch, join, read, planned, settled } = start()
    const { told } = join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().reject(new Problem('budget-exhausted', '', { notSent: true }))
    expect([await first, told, planned()]).toEqual([
      'fine',
      ['budget-exhausted'],
      ['adopt at once'],
    ])
  })

  it.each<[Standing, () => Problem]>([
    ['followed', notFound],
    ['young', notFound],
  ])(
    'of one look at a %s export refuses nobody and tells nothing: the next looks decide',
    async (standing, refusal) => {
      const { watch, known, join, read, planned, settled } = start()
      known.standing = standing
      const { told } = join()
      const first = codeOf(watch.first(REF))
      await settled()
      read().reject(refusal())
      expect([await first, told, planned()]).toEqual(['fine', [], ['adopt after a failure']])
    },
  )

  it('because of a bug is reported to the operator and told as `internal`', async () => {
    const { watch, observer, join, read, settled } = start()
    const { told } = join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().reject(new TypeError('secret') as never)
    expect([await first, told, observer.told]).toEqual(['fine', ['internal'], ['failed watch']])
  })

  it('from before does not refuse a later watcher: lemlist is asked again', async () => {
    // Regression: one many-exports stream kept an unknown export gone for all who came later.
    const { watch, join, reads, read, settled } = start()
    const { told } = join()
    void codeOf(watch.first(REF))
    await settled()
    read().reject(notFound())
    await settled()
    const later = join()
    const first = codeOf(watch.first(REF))
    await settled()
    expect(reads).toHaveLength(2)
    read(1).resolve(reading('pending'))
    expect([await first, later.told]).toEqual(['fine', ['pending']])
    expect(told).toEqual(['export-not-found', 'pending'])
  })

  it('that is stored as a verdict does not keep the reader from asking lemlist again', async () => {
    // Regression: after three 404s in 15 s the gateway gave an export up for a day and did not ask
    // lemlist again.
    const { watch, known, join, read, settled } = start()
    known.end = timedOut()
    const { told } = join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().resolve(reading('done'))
    expect([await first, told]).toEqual(['fine', ['done']])
  })

  it('that is stored refuses later watchers as well, whatever was seen before it', async () => {
    const { watch, hub, known, join, read, settled } = start()
    join()
    hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('pending', 1) }, 'elsewhere')
    hub.dispatch(REF, { kind: 'gone', code: 'export-timed-out', detail: '' }, 'elsewhere')
    known.end = timedOut()
    join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().reject(timedOut())
    expect(await first).toBe('export-timed-out')
  })
})

describe('a stale observation that replaces a look', () => {
  it('is told together with the trouble, and lemlist is asked again', async () => {
    // Regression: the observation was told as if lemlist had just said it, and the next poll came
    // at the idle pace.
    const { watch, join, read, planned, settled } = start()
    const { told } = join()
    const first = watch.first(REF)
    await settled()
    read().resolve(reading('pending', { how: 'stale', trouble: down() }))
    await first
    expect(told).toEqual(['pending', 'pending + upstream-unavailable'])
    expect(planned()).toEqual(['adopt after a failure'])
  })
})

describe('a look for a watcher', () => {
  it('is wanted as long as somebody watches', async () => {
    const { watch, join, wanted, settled } = start()
    const { leave } = join()
    void codeOf(watch.first(REF))
    await settled()
    expect(wanted[0]?.()).toBe(true)
    leave()
    expect(wanted[0]?.()).toBe(false)
  })
})

describe('a stream of many exports', () => {
  const ref: ExportRef = REF
  const refs = [1, 2, 3].map((number) => ({ ...ref, exportId: `axp_${number}` }))

  it('leaves exports that are not known to the shared poll, due at once', async () => {
    // Regression: a hundred reads stood in line for one stream, and the line turned most of them away.
    const { watch, join, reads, planned } = start()
    for (const ref of refs) join(ref)
    await watch.firstOfMany(refs)
    expect([reads, planned()]).toEqual([[], Array.from({ length: 3 }, () => 'adopt at once')])
  })

  it('tells known ends and young observations without a look', async () => {
    const { watch, known, join, planned } = start()
    known.end = reading('done', { how: 'hit' })
    const done = join(refs[0])
    await watch.firstOfMany(refs.slice(0, 1))
    known.end = undefined
    known.stale = observed(1_000, 20_000)
    const young = join(refs[1])
    await watch.firstOfMany(refs.slice(1, 2))
    expect([done.told, young.told]).toEqual([['done'], ['pending']])
    expect(planned()).toEqual(['hasten 20000 1000'])
  })

  it('tells an end that is no status as `gone`, and goes on', async () => {
    const { watch, known, join } = start()
    known.end = new Problem('export-expired', 'over')
    const { told } = join(refs[0])
    await watch.firstOfMany(refs.slice(0, 1))
    expect(told).toEqual(['export-expired'])
  })

  it('is told trouble for an export that the schedule has no room for', async () => {
    const { watch, known, join } = start()
    known.isFull = true
    const { told } = join(refs[0])
    await watch.firstOfMany(refs.slice(0, 1))
    expect(told).toEqual(['overloaded'])
  })

  it('asks nothing of the schedule for an export that has been told already', async () => {
    const { watch, hub, join, planned } = start()
    join(refs[0])
    const snapshot = snapshotOf('pending', Date.now())
    for (const ref of refs) hub.dispatch(ref, { kind: 'status', snapshot }, 'here')
    await watch.firstOfMany(refs.slice(0, 1))
    expect(planned()).toEqual([])
  })
})

describe('a client that may have seen more than this replica knows', () => {
  const status = (state: string) =>
    ({ kind: 'status', snapshot: snapshotOf(state, Date.now()) }) as const

  it('is told what lemlist says from now on, and the young observation confirms nothing', async () => {
    const { watch, hub, known, join, planned, settled } = start()
    known.stale = observed(1_000)
    const { told, subscriber } = join()
    void watch.confirm([REF], subscriber)
    await settled()
    expect([told, planned()]).toEqual([[], ['adopt at once']])
    // Another newcomer is shown the young observation, and the topic tells it to everybody.
    await watch.first(REF)
    expect(told).toEqual(['pending'])
    hub.dispatch(REF, status('pending'), 'here')
    hub.dispatch(REF, status('pending'), 'here')
    expect(told).toEqual(['pending', 'confirmed pending'])
  })

  it('is confirmed by no look that was under way when it came', async () => {
    const { watch, hub, known, join, planned, settled } = start()
    const landing = Promise.withResolvers<void>()
    known.landing = landing.promise
    const { told, subscriber } = join()
    void watch.confirm([REF], subscriber)
    await settled()
    hub.dispatch(REF, status('pending'), 'here')
    expect([told, planned()]).toEqual([['pending'], []])
    known.landing = undefined
    landing.resolve()
    await settled()
    expect([told, planned()]).toEqual([['pending'], ['adopt at once']])
    hub.dispatch(REF, status('done'), 'here')
    expect(told).toEqual(['pending', 'done', 'confirmed done'])
  })

  it('is told an end that is known, without a look', async () => {
    const { watch, known, join, planned, settled } = start()
    known.end = reading('done', { how: 'hit' })
    const { told, subscriber } = join()
    await watch.confirm([REF], subscriber)
    await settled()
    expect([told, planned()]).toEqual([['done'], []])
  })

  it('leaves nothing behind when it leaves', async () => {
    const { watch, hub, join, settled } = start()
    const { subscriber, told, leave } = join()
    join()
    await watch.confirm([REF], subscriber)
    leave()
    hub.dispatch(REF, status('pending'), 'here')
    await settled()
    expect(told).toEqual([])
    // Its look may land only after it has left.
    hub.doubt(REF, subscriber, undefined)
    hub.dispatch(REF, status('done'), 'here')
    expect(told).toEqual([])
  })
})
