import { describe, expect, it, vi } from 'vitest'
import type { Kept } from '../../../../src/exports/export.ts'
import type { Reading } from '../../../../src/exports/reading/reader.ts'
import { createHub, type Topic } from '../../../../src/exports/watching/hub.ts'
import { createWatch } from '../../../../src/exports/watching/watch.ts'
import { Problem } from '../../../../src/problems.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { DAY, fakeObserver, fakeResults, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const INTERVALS = {
  firstMs: 1_000,
  intervalMs: 5_000,
  maxIntervalMs: 15_000,
  idleIntervalMs: 60_000,
}

type Standing = 'followed' | 'young' | 'none'

const start = () => {
  useFakeTime()
  const hub = createHub()
  const results = fakeResults()
  const observer = fakeObserver()
  /** What the other parts of the gateway know. The test sets it. */
  const known: {
    end: Reading | Problem | undefined
    stale: Kept | undefined
    standing: Standing
    tracked: boolean
    /** While this is set, `hasten` waits for it, as for a schedule that answers late. */
    schedule: Promise<void> | undefined
  } = { end: undefined, stale: undefined, standing: 'none', tracked: false, schedule: undefined }
  const asked: string[] = []
  const reads: PromiseWithResolvers<Reading>[] = []
  const watch = createWatch({
    hub,
    results,
    observer,
    intervals: INTERVALS,
    cache: { stale: () => known.stale },
    reader: {
      peek: () => undefined,
      lookup: async () => {
        if (known.end instanceof Problem) throw known.end
        return known.end
      },
      read: () => {
        const read = Promise.withResolvers<Reading>()
        reads.push(read)
        return read.promise
      },
    },
    follower: {
      adopt: async () => void asked.push('adopt'),
      note: async (_, { snapshot }) => void asked.push(`note ${snapshot.state}`),
      hasten: async (_, { firstSeenAt, observedAt }) => {
        asked.push(`hasten ${Date.now() - firstSeenAt} ${Date.now() - observedAt}`)
        await known.schedule
      },
      renew: async (refs, dueBy) => {
        const soon = dueBy === undefined ? '' : ` within ${dueBy - Date.now()} ms`
        asked.push(`renew ${refs.length}${soon}`)
      },
      isTracked: async () => known.tracked,
      standing: async () => known.standing,
    },
  })
  const join = () => {
    const told: string[] = []
    const subscriber = { changed: (topic: Topic) => void told.push(wordsOf(topic)) }
    const topic = watch.join(REF, subscriber)
    return { told, topic, leave: () => watch.leave(REF, subscriber) }
  }
  const read = (number = 0) => {
    const found = reads[number]
    if (found === undefined) throw new Error(`there was no read ${number}`)
    return found
  }
  const settled = () => vi.advanceTimersByTimeAsync(0)
  return { watch, hub, results, observer, known, asked, reads, read, join, settled }
}

const wordsOf = ({ snapshot, word }: Topic): string =>
  [snapshot?.state, word?.code].filter((part) => part !== undefined).join(' + ')

const reading = (state: string, more: Partial<Reading> = {}): Reading => ({
  snapshot: snapshotOf(state, Date.now()),
  firstSeenAt: Date.now(),
  how: 'miss',
  ...more,
})
/** A pending observation of this age. The export was first seen `lifeMs` ago. */
const observed = (ageMs: number, lifeMs = ageMs): Kept => ({
  snapshot: snapshotOf('pending', Date.now() - ageMs),
  firstSeenAt: Date.now() - lifeMs,
})
const notFound = () => new Problem('export-not-found', 'unknown', { upstreamStatus: 404 })
const timedOut = () => new Problem('export-timed-out', 'over')
const down = () => new Problem('upstream-unavailable', 'down')
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fine',
    (error: unknown) => (error instanceof Problem ? error.code : error),
  )

describe('the first watcher', () => {
  it('joins before it reads, so that it is told what comes during the read', async () => {
    const { watch, hub, join, read, settled } = start()
    const { told } = join()
    const first = watch.first(REF)
    await settled()
    hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('done', Date.now()) })
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

  it('is told a young observation without a look, and the next look is brought forward', async () => {
    const { watch, known, join, reads, asked } = start()
    known.stale = observed(4_999, 20_000)
    const { told } = join()
    await watch.first(REF)
    expect([told, reads, asked]).toEqual([['pending'], [], ['hasten 20000 4999']])
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
    hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' })
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
    const { watch, join, read, asked, settled } = start()
    const { told } = join()
    const first = codeOf(watch.first(REF))
    await settled()
    read().reject(refusal())
    expect([await first, told, asked]).toEqual(['fine', [refusal().code], ['adopt']])
  })

  it('that may pass brings the next look forward when the export is already followed', async () => {
    const { watch, known, join, read, asked, settled } = start()
    known.tracked = true
    join()
    void watch.first(REF)
    await settled()
    read().reject(down())
    await settled()
    expect(asked).toEqual(['hasten 1000 0'])
  })

  it.each<[Standing, () => Problem]>([
    ['followed', timedOut],
    ['young', notFound],
  ])(
    'of one look at a %s export refuses nobody and tells nothing: the next looks decide',
    async (standing, refusal) => {
      const { watch, known, join, read, asked, settled } = start()
      Object.assign(known, { tracked: true, standing })
      const { told } = join()
      const first = codeOf(watch.first(REF))
      await settled()
      read().reject(refusal())
      expect([await first, told, asked]).toEqual(['fine', [], ['hasten 1000 0']])
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

  it('that is stored refuses later watchers as well, whatever was seen before it', async () => {
    const { watch, hub, known, join, reads } = start()
    join()
    hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('pending', 1) })
    hub.dispatch(REF, { kind: 'gone', code: 'export-timed-out', detail: '' })
    known.end = timedOut()
    join()
    expect([await codeOf(watch.first(REF)), reads]).toEqual(['export-timed-out', []])
  })
})

describe('a stale observation that replaces a look', () => {
  it('is told together with the trouble, and lemlist is asked again', async () => {
    // Regression: the observation was told as if lemlist had just said it, and the next poll came
    // at the idle pace.
    const { watch, known, join, read, asked, settled } = start()
    known.tracked = true
    const { told } = join()
    const first = watch.first(REF)
    await settled()
    read().resolve(reading('pending', { how: 'stale', trouble: down() }))
    await first
    expect(told).toEqual(['pending', 'pending + upstream-unavailable'])
    expect(asked).toEqual(['hasten 1000 0'])
  })
})

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
    one.hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('done', Date.now()) })
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
    one.hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('pending', Date.now(), 'more') })
    one.hub.dispatch(REF, { kind: 'trouble', code: 'upstream-timeout', detail: '' })
    one.hub.dispatch(REF, { kind: 'status', snapshot: snapshotOf('queued', Date.now() + 1) })
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
    one.hub.dispatch(REF, { kind: 'gone', code: 'export-timed-out', detail: '' })
    await one.settled()
    expect(seen).toEqual(['export-timed-out'])
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

describe('a renewal', () => {
  const final = () => ({ ...snapshotOf('done', Date.now()), endOfLife: Date.now() + DAY })

  it('renews the exports that are watched, and asks for nothing when there are none', async () => {
    const { watch, join, asked, results } = start()
    await watch.renew()
    expect([asked, results.asked]).toEqual([[], []])
    join()
    await watch.renew()
    expect([asked, results.asked]).toEqual([['renew 1'], ['getMany']])
  })

  it('tells an end that the bus has lost', async () => {
    const { watch, results, join } = start()
    const { told } = join()
    await results.put(REF, { kind: 'final', snapshot: final(), forgetAt: Date.now() + 2 * DAY })
    await watch.renew()
    expect(told).toEqual(['done'])
  })

  it('tells a verdict that the bus has lost', async () => {
    // Regression: watchers on other replicas were told the verdict only when the export was
    // rescued, almost a minute later.
    const { watch, results, join } = start()
    const { told } = join()
    await results.put(REF, { kind: 'timed-out', forgetAt: Date.now() + DAY })
    await watch.renew()
    expect(told).toEqual(['export-timed-out'])
  })

  it('rescues an export that has been silent for three of the longest intervals', async () => {
    const { watch, join, asked } = start()
    join()
    await vi.advanceTimersByTimeAsync(44_999)
    await watch.renew()
    expect(asked).toEqual(['renew 1'])
    await vi.advanceTimersByTimeAsync(1)
    await watch.renew()
    expect(asked).toEqual(['renew 1', 'renew 1', 'adopt'])
  })

  // Regression: another replica thought that nobody watched the export, and looked at it only a
  // minute later.
  it('has a silent export that is still tracked looked at within the longest interval', async () => {
    const { watch, known, join, asked } = start()
    known.tracked = true
    join()
    await vi.advanceTimersByTimeAsync(60_000)
    await watch.renew()
    expect(asked).toEqual(['renew 1', 'renew 1 within 15000 ms'])
  })

  // Regression: while Redis was away for both replicas, a stream waited 60 s for its end.
  it('after a change of the schedule has every export that is watched here looked at within an interval', async () => {
    const { watch, known, join, asked } = start()
    known.tracked = true
    join()
    await watch.rejoin()
    expect(asked).toEqual(['renew 1 within 5000 ms'])
  })

  it('goes on when the store fails', async () => {
    const { watch, results, observer, join, asked } = start()
    join()
    await vi.advanceTimersByTimeAsync(60_000)
    results.failure = new Error('away')
    await watch.renew()
    expect([observer.told, asked]).toEqual([['storeFailed results.getMany'], ['renew 1', 'adopt']])
  })
})
