import { describe, expect, it } from 'vitest'
import { createCache } from '../../../../src/exports/reading/cache.ts'
import { createLatest } from '../../../../src/exports/reading/latest.ts'
import { DAY, fakeObserver, fakeResults, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const NOW = Date.UTC(2026, 0, 2)
const MINUTE = 60_000

const start = () => {
  const results = fakeResults()
  const observer = fakeObserver()
  const clock = { now: NOW }
  const options = { results, observer, fileTtlMs: DAY, now: () => clock.now }
  const latest = createLatest()
  const cache = createCache({ ...options, latest })
  /** Another replica, which has the same store and nothing in memory. */
  const another = () => createCache({ ...options, latest: createLatest() })
  return { cache, latest, results, observer, clock, another }
}
const pending = (at = NOW) => snapshotOf('pending', at)
const done = (at = NOW) => snapshotOf('done', at)

describe('a pending observation', () => {
  it('is shown but never kept', async () => {
    const { cache, results } = start()
    expect(await cache.keep(REF, pending())).toEqual({ snapshot: pending(), firstSeenAt: NOW })
    expect(cache.peek(REF)).toBeUndefined()
    expect(await cache.lookup(REF)).toBeUndefined()
    expect(results.records.size).toBe(0)
  })

  it('can replace an answer of lemlist for less than a minute, with the time of the first one', async () => {
    const { cache, clock } = start()
    await cache.keep(REF, pending())
    await cache.keep(REF, pending(NOW + 5_000))
    clock.now = NOW + 5_000 + MINUTE - 1
    expect(cache.stale(REF)).toEqual({ snapshot: pending(NOW + 5_000), firstSeenAt: NOW })
    clock.now += 1
    expect(cache.stale(REF)).toBeUndefined()
  })

  it('is not shown after a final status that another replica has stored', async () => {
    const { cache, another } = start()
    await cache.keep(REF, pending())
    await another().keep(REF, done())
    const kept = await cache.keep(REF, pending(NOW + 1_000))
    expect(kept.snapshot).toEqual(done())
    expect(cache.stale(REF)).toBeUndefined()
    expect(cache.peek(REF)?.snapshot).toEqual(done())
  })

  it('of another replica that is newer is shown instead of an undocumented word, and is not kept', async () => {
    const { cache, latest } = start()
    latest.set(REF, pending(), 'elsewhere')
    const queued = snapshotOf('queued', NOW - 60)
    expect(await cache.keep(REF, queued)).toEqual({ snapshot: pending(), firstSeenAt: NOW })
  })

  it('is shown even after the verdict that the export timed out', async () => {
    const { cache, results } = start()
    await results.put(REF, { kind: 'timed-out', forgetAt: NOW + DAY })
    expect((await cache.keep(REF, pending())).snapshot).toEqual(pending())
  })
})

describe('a final status', () => {
  it.each(['done', 'error'])('(%s) is stored, and later reads find it in memory', async (state) => {
    const { cache, results } = start()
    const snapshot = snapshotOf(state, NOW)
    const kept = { snapshot, keptUntil: NOW + DAY, firstSeenAt: NOW }
    expect(await cache.keep(REF, snapshot)).toEqual(kept)
    expect(results.asked).toEqual(['put'])
    expect([cache.peek(REF), await cache.lookup(REF)]).toEqual([kept, kept])
    expect(results.asked).toEqual(['put'])
    expect([...results.records.values()]).toMatchObject([
      { kind: 'final', forgetAt: NOW + 2 * DAY },
    ])
  })

  it('is read from the store once, then it is in memory', async () => {
    const { cache, another, results } = start()
    await another().keep(REF, done())
    expect(cache.peek(REF)).toBeUndefined()
    expect((await cache.lookup(REF))?.snapshot).toEqual(done())
    await cache.lookup(REF)
    expect(cache.peek(REF)?.snapshot).toEqual(done())
    expect(results.asked).toEqual(['put', 'getMany'])
  })

  it('that came first wins over a later one', async () => {
    const { cache } = start()
    await cache.keep(REF, done())
    expect((await cache.keep(REF, snapshotOf('error', NOW + 5))).snapshot).toEqual(done())
  })

  it('beats a verdict that the export timed out', async () => {
    const { cache, results } = start()
    await results.put(REF, { kind: 'timed-out', forgetAt: NOW + DAY })
    expect((await cache.keep(REF, done())).snapshot).toEqual(done())
    expect((await cache.lookup(REF))?.snapshot).toEqual(done())
  })

  it('is no longer shown from memory after its end of life', async () => {
    const { cache, clock, results } = start()
    await cache.keep(REF, done())
    clock.now = NOW + DAY - 1
    expect(cache.peek(REF)).toBeDefined()
    clock.now = NOW + DAY
    expect(cache.peek(REF)).toBeUndefined()
    results.records.set('default/cam_Scripted0000001/axp_Scripted0000001', {
      kind: 'expired',
      forgetAt: NOW + 2 * DAY,
    })
    await expect(cache.lookup(REF)).rejects.toMatchObject({ code: 'export-expired', status: 410 })
  })

  it('of one account is not shown to another', async () => {
    const { cache } = start()
    await cache.keep(REF, done())
    expect(cache.peek({ ...REF, account: 'other' })).toBeUndefined()
    expect(await cache.lookup({ ...REF, account: 'other' })).toBeUndefined()
  })
})

describe('an answer that is repeated for a minute', () => {
  it.each([
    [
      'one with a state that lemlist has not documented',
      snapshotOf('queued', NOW),
      'drift unknown-state',
    ],
    [
      'one with a final status that is past its end of life when lemlist gives it',
      { ...done(), endOfLife: NOW - 1 },
      'drift past-life',
    ],
  ])('is %s, and it is not stored', async (_, snapshot, drift) => {
    const { cache, clock, results, observer } = start()
    const kept = { snapshot, keptUntil: NOW + MINUTE, firstSeenAt: NOW }
    expect(await cache.keep(REF, snapshot)).toEqual(kept)
    expect(observer.told).toEqual([drift])
    clock.now = NOW + MINUTE - 1
    expect(await cache.lookup(REF)).toEqual(kept)
    expect([cache.peek(REF), cache.stale(REF), results.records.size]).toEqual([
      undefined,
      undefined,
      0,
    ])
    clock.now = NOW + MINUTE
    expect(await cache.lookup(REF)).toBeUndefined()
  })

  it('is that of now when lemlist gives the same past end again after the minute', async () => {
    // Regression: the first one won for ever, so after its minute each read was a call to lemlist, with an
    // age that grew.
    const { cache, clock } = start()
    await cache.keep(REF, { ...done(), endOfLife: NOW - 1 })
    clock.now = NOW + 2 * MINUTE
    const again = { ...done(), observedAt: clock.now, endOfLife: NOW - 1 }
    const kept = await cache.keep(REF, again)
    expect(kept).toMatchObject({ snapshot: again, keptUntil: clock.now + MINUTE })
    clock.now += MINUTE - 1
    expect((await cache.lookup(REF))?.snapshot).toEqual(again)
  })

  it('follows the end that was kept, when lemlist gives that past its life', async () => {
    const { cache, latest, clock } = start()
    latest.set(REF, done(), 'elsewhere')
    clock.now = NOW + 3 * DAY
    const again = { ...done(), observedAt: clock.now }
    await cache.keep(REF, again)
    expect((await cache.lookup(REF))?.snapshot).toEqual(again)
  })

  it('is replaced at once when lemlist gives a final status', async () => {
    const { cache } = start()
    await cache.keep(REF, snapshotOf('queued', NOW))
    await cache.keep(REF, done())
    expect((await cache.lookup(REF))?.snapshot).toEqual(done())
  })
})

describe('an end without a final status', () => {
  it.each([
    ['timed-out', 'export-timed-out', 404],
    ['expired', 'export-expired', 410],
  ] as const)('is read from the store: %s', async (kind, code, status) => {
    const { cache, results } = start()
    const key = 'default/cam_Scripted0000001/axp_Scripted0000001'
    results.records.set(key, { kind, forgetAt: NOW + DAY })
    await expect(cache.lookup(REF)).rejects.toMatchObject({ code, status })
  })

  it('is told even when lemlist gives a status again: 410 wins', async () => {
    const { cache, results } = start()
    const key = 'default/cam_Scripted0000001/axp_Scripted0000001'
    results.records.set(key, { kind: 'expired', forgetAt: NOW + DAY })
    await expect(cache.keep(REF, pending())).rejects.toMatchObject({ code: 'export-expired' })
  })
})

describe('a store that fails', () => {
  it('makes a look-up find nothing, and the operator is told', async () => {
    const { cache, results, observer } = start()
    results.failure = new Error('away')
    expect(await cache.lookup(REF)).toBeUndefined()
    expect(observer.told).toEqual(['storeFailed results.getMany'])
  })

  it('does not prevent a final status from being shown, only from being kept', async () => {
    const { cache, results, observer } = start()
    results.failure = new Error('away')
    expect(await cache.keep(REF, done())).toEqual({ snapshot: done(), firstSeenAt: NOW })
    expect(observer.told).toEqual(['storeFailed results.put'])
    expect(cache.peek(REF)).toBeUndefined()
    results.failure = undefined
    expect(await cache.lookup(REF)).toBeUndefined()
  })

  it('does not prevent a pending status from being shown', async () => {
    const { cache, results } = start()
    results.failure = new Error('away')
    expect((await cache.keep(REF, pending())).snapshot).toEqual(pending())
  })

  it('is not asked for a status that is in memory', async () => {
    const { cache, results } = start()
    await cache.keep(REF, done())
    results.failure = new Error('away')
    expect((await cache.lookup(REF))?.snapshot).toEqual(done())
  })
})

describe('the latest observations', () => {
  it('are bounded by their bytes: the oldest are dropped first', () => {
    const latest = createLatest(1_200)
    const refs = ['a', 'b', 'c', 'd'].map((name) => ({ ...REF, exportId: `axp_${name}` }))
    for (const ref of refs) latest.set(ref, pending(), 'here')
    expect(refs.map((ref) => latest.get(ref) !== undefined)).toEqual([false, true, true, true])
  })

  it('are in the order of the calls of this replica, whatever the clock does', () => {
    // Regression: after the clock was set back by an hour, the gateway answered reads with the status
    // from before that.
    const latest = createLatest()
    const before = snapshotOf('pending', Date.now() + 3_600_000, 'before the step')
    latest.set(REF, before, 'here')
    const after = snapshotOf('pending', Date.now(), 'after the step')
    expect(latest.set(REF, after, 'here').snapshot).toBe(after)
    expect(latest.get(REF)?.snapshot).toBe(after)
  })

  it('of another replica change nothing when they come late', () => {
    const latest = createLatest()
    const newer = snapshotOf('pending', Date.now())
    latest.set(REF, newer, 'here')
    latest.set(REF, snapshotOf('pending', Date.now() - 5_000, 'late'), 'elsewhere')
    expect(latest.get(REF)?.snapshot).toBe(newer)
  })

  it('are compared by their times when they come from two replicas, even what comes from here', () => {
    // Regression: an answer that had waited for Redis replaced the newer one of another replica.
    const latest = createLatest()
    const newer = snapshotOf('pending', Date.now())
    latest.set(REF, newer, 'elsewhere')
    const older = snapshotOf('pending', Date.now() - 60, 'older')
    expect(latest.set(REF, older, 'here').snapshot).toBe(newer)
    // Told again, it is still an observation of the other replica.
    latest.set(REF, newer, 'here')
    expect(latest.set(REF, older, 'here').snapshot).toBe(newer)
  })

  it('can be forgotten one by one', () => {
    const latest = createLatest()
    latest.set(REF, pending(), 'here')
    latest.forget(REF)
    expect(latest.get(REF)).toBeUndefined()
  })
})
