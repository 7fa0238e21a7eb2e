import { describe, expect, it, vi } from 'vitest'
import { Problem } from '../../../../src/problems.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'
import { down, notFound, observed, reading, start, timedOut } from './fixtures.ts'

describe('a wait', () => {
  const begin = (one: ReturnType<typeof start>, ms = 10_000, signals: AbortSignal[] = []) => {
    const seen: string[] = []
    one.watch.wait(REF, ms, signals).then(
      ({ how, snapshot }) => void seen.push(`${how} ${snapshot.state}`),
      (error) => void seen.push(error instanceof Problem ? error.code : String(error)),
    )
    return seen
  }

  it('ends when the export is final, and answers the stored status', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().resolve(reading('pending'))
    await one.settled()
    expect(seen).toEqual([])
    one.known.end = reading('done', { how: 'hit' })
    one.hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('done', Date.now()) }, 'elsewhere')
    await one.settled()
    expect(seen).toEqual(['hit done'])
  })

  it('ends at once when it is final already', async () => {
    const one = start()
    one.known.end = reading('error', { how: 'hit' })
    const seen = begin(one)
    await one.settled()
    expect(seen).toEqual(['hit error'])
  })

  it('is not ended by another pending status, by trouble or by an undocumented state', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().resolve(reading('pending'))
    await one.settled()
    one.hub.dispatch(
      REF,
      { kind: 'status', snapshot: snapshotOf('pending', Date.now(), 'more') },
      'elsewhere',
    )
    one.hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' }, 'elsewhere')
    one.hub.dispatch(
      REF,
      { kind: 'status', snapshot: snapshotOf('queued', Date.now() + 1) },
      'elsewhere',
    )
    await one.settled()
    expect(seen).toEqual([])
  })

  it('ends with a young observation when its time is over', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().resolve(reading('pending'))
    await vi.advanceTimersByTimeAsync(9_999)
    expect(seen).toEqual([])
    one.known.stale = observed(1_000)
    await vi.advanceTimersByTimeAsync(1)
    expect(seen).toEqual(['collapsed pending'])
    expect(one.reads).toHaveLength(1)
  })

  // Regression: a wait of no time answered an observation of 8 s ago, which no call had brought.
  it.each([0, 1_000])('of %i ms does not end with an observation from before it', async (ms) => {
    const one = start()
    one.known.stale = observed(1)
    const seen = begin(one, ms)
    await vi.advanceTimersByTimeAsync(ms)
    one.read().resolve(reading('pending'))
    await one.settled()
    expect(seen).toEqual(['miss pending'])
  })

  // Regression: what lemlist had said before the trouble was answered as if it had said it now.
  it('ends with a look of its own when lemlist is in trouble', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().resolve(reading('pending'))
    await one.settled()
    one.known.stale = observed(0)
    one.hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' }, 'elsewhere')
    await vi.advanceTimersByTimeAsync(10_000)
    one.read(1).resolve(reading('pending', { how: 'stale' }))
    await one.settled()
    expect(seen).toEqual(['stale pending'])
  })

  it('says that its answer is stale when it is cut short while lemlist is in trouble', async () => {
    const one = start()
    one.known.stale = observed(1_000)
    const abort = new AbortController()
    const seen = begin(one, 10_000, [abort.signal])
    await one.settled()
    one.hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' }, 'elsewhere')
    abort.abort()
    await one.settled()
    expect(seen).toEqual(['stale pending'])
    expect(one.reads).toEqual([])
  })

  it('ends with a look of its own when its time is over and there is no young observation', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().reject(down())
    await vi.advanceTimersByTimeAsync(10_000)
    one.read(1).resolve(reading('pending'))
    await one.settled()
    expect(seen).toEqual(['miss pending'])
  })

  it('does not wait for a first look that takes longer than its time', async () => {
    const one = start()
    const seen = begin(one, 1_000)
    await vi.advanceTimersByTimeAsync(1_000)
    one.read(1).resolve(reading('pending', { how: 'collapsed' }))
    await one.settled()
    expect(seen).toEqual(['collapsed pending'])
    // The first look may still fail. Nobody waits for it now, and its rejection must be handled.
    one.read().reject(notFound())
    await one.settled()
  })

  it.each(['before it begins', 'meanwhile'])('ends when a signal aborts %s', async (when) => {
    const one = start()
    one.known.stale = observed(1_000)
    const abort = new AbortController()
    if (when === 'before it begins') abort.abort()
    const seen = begin(one, 10_000, [new AbortController().signal, abort.signal])
    await one.settled()
    abort.abort()
    await one.settled()
    expect(seen).toEqual(['collapsed pending'])
  })

  it('ends with a refusal that will not pass', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().reject(notFound())
    await one.settled()
    // Regression: the wait cost a second look, because watchers were told the refusal before the
    // caller.
    expect([seen, one.reads.length]).toEqual([['export-not-found'], 1])
  })

  it('ends when the export is gone meanwhile', async () => {
    const one = start()
    const seen = begin(one)
    await one.settled()
    one.read().resolve(reading('pending'))
    await one.settled()
    one.known.end = timedOut()
    one.hub.dispatch(REF, { kind: 'gone', code: 'export-timed-out', detail: '' }, 'elsewhere')
    await one.settled()
    expect(seen).toEqual(['export-timed-out'])
  })

  it('ends with a look while other replicas may have seen more', async () => {
    const one = start()
    one.known.isAlone = true
    one.known.stale = observed(1_000)
    const seen = begin(one, 10_000)
    await vi.advanceTimersByTimeAsync(10_000)
    expect([seen, one.reads.length]).toEqual([[], 1])
    one.read().resolve(reading('done'))
    await one.settled()
    expect(seen).toEqual(['miss done'])
  })

  it('leaves nothing behind: no watcher, no timer, no listener', async () => {
    const one = start()
    one.known.stale = observed(1_000)
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    begin(one, 10_000, [signal])
    await one.settled()
    expect([one.hub.isWatched(REF), vi.getTimerCount()]).toEqual([true, 1])
    await vi.advanceTimersByTimeAsync(10_000)
    expect([one.hub.isWatched(REF), vi.getTimerCount()]).toEqual([false, 0])
    expect(removed.mock.calls).toEqual(added.mock.calls)
    expect(added).toHaveBeenCalledOnce()
  })
})
