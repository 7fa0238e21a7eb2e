import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createMemoryStore } from '../../../src/store/memory/store.ts'
import { closedAfterTest, createClock } from '../fixtures.ts'
import { finalOf, HOUR, LIMITS, refOf, START, timedOut, VISIBILITY_MS } from '../records.ts'

const body = 'm'.repeat(10_000)

const setUp = (maxBytes: number) => {
  const clock = createClock()
  return {
    clock,
    store: closedAfterTest(
      createMemoryStore({ limits: LIMITS, visibilityMs: VISIBILITY_MS, now: clock.now, maxBytes }),
    ),
  }
}

describe('memory store', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('drops the record that nobody has asked for the longest time when it is full', async () => {
    const { store } = setUp(25_000)
    await store.results.put(refOf('exp_A'), finalOf(body))
    await store.results.put(refOf('exp_B'), finalOf(body))
    await store.results.get(refOf('exp_A'))
    await store.results.put(refOf('exp_C'), finalOf(body))
    const refs = [refOf('exp_A'), refOf('exp_B'), refOf('exp_C')]
    const kinds = (await store.results.getMany(refs)).map((record) => record?.kind)
    expect(kinds).toEqual(['final', undefined, 'final'])
  })

  it('makes room by dropping the bytes of expired records', async () => {
    const { store, clock } = setUp(25_000)
    await store.results.put(refOf('exp_A'), finalOf(body))
    await store.results.put(refOf('exp_B'), finalOf(body))
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(60_000)
    const late = finalOf(body)
    const snapshot = { ...late.snapshot, endOfLife: late.forgetAt }
    await store.results.put(refOf('exp_C'), { ...late, snapshot })
    const refs = [refOf('exp_A'), refOf('exp_B'), refOf('exp_C')]
    const kinds = (await store.results.getMany(refs)).map((record) => record?.kind)
    expect(kinds).toEqual(['expired', 'expired', 'final'])
  })

  it('makes room by forgetting records whose time is over', async () => {
    const { store, clock } = setUp(1100)
    await store.results.put(refOf('exp_A'), { ...timedOut, forgetAt: timedOut.forgetAt - HOUR })
    await store.results.put(refOf('exp_B'), { ...timedOut, forgetAt: timedOut.forgetAt + HOUR })
    // This record is asked for last, so a full store would drop the other one first.
    await store.results.get(refOf('exp_A'))
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(60_000)
    await store.results.put(refOf('exp_C'), { ...timedOut, forgetAt: timedOut.forgetAt + HOUR })
    expect(await store.results.get(refOf('exp_B'))).toMatchObject({ kind: 'timed-out' })
  })

  it('drops idempotency keys whose time is over', async () => {
    const { store, clock } = setUp(1000)
    const until = { inProgressUntil: START + 1000, forgetAt: START + 24 * HOUR }
    await store.idempotency.begin('key', until)
    clock.advance(24 * HOUR)
    vi.advanceTimersByTime(60_000)
    // The clock goes back. A key that was only hidden would now be found again.
    clock.advance(-HOUR)
    expect(await store.idempotency.begin('key', until)).toEqual({ state: 'yours' })
  })

  it('leaves no timer behind when closed', async () => {
    const { store } = setUp(1000)
    expect(vi.getTimerCount()).toBe(1)
    await store.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
