import { describe, expect, it, vi } from 'vitest'
import { createAllowances } from '../../../../src/exports/reading/allowances.ts'
import { createCache } from '../../../../src/exports/reading/cache.ts'
import { createGate } from '../../../../src/exports/reading/gate.ts'
import { createLatest } from '../../../../src/exports/reading/latest.ts'
import { createLooker } from '../../../../src/exports/reading/looker.ts'
import {
  createReader,
  type ReaderOptions,
  type ReadOptions,
} from '../../../../src/exports/reading/reader.ts'
import { Problem } from '../../../../src/problems.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import {
  DAY,
  fakeObserver,
  fakeResults,
  fakeUpdates,
  fakeUpstream,
  snapshotOf,
} from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const PATIENCE_MS = 4_500

type Standing = Awaited<ReturnType<ReaderOptions['follower']['standing']>>

const start = ({
  standing = 'none',
  budgetPatienceMs = () => Number.POSITIVE_INFINITY,
  isAlone = () => false,
}: {
  standing?: Standing
  budgetPatienceMs?: () => number
  isAlone?: () => boolean
} = {}) => {
  useFakeTime()
  const results = fakeResults()
  const upstream = fakeUpstream()
  const updates = fakeUpdates()
  const observer = fakeObserver()
  const cache = createCache({ results, observer, latest: createLatest(), fileTtlMs: DAY })
  const noted: string[] = []
  const looker = createLooker({ upstream, cache, updates, observer })
  const reader = createReader({
    cache,
    looker,
    gate: createGate(createAllowances({ calls: 16, windowMs: 2_000 })),
    follower: {
      note: async (_, { snapshot }) => void noted.push(snapshot.state),
      standing: async () => standing,
    },
    patienceMs: PATIENCE_MS,
    budgetPatienceMs,
    isAlone,
  })
  /** Resolves when everything has happened that needs no further step of the test. */
  const settled = () => vi.advanceTimersByTimeAsync(0)
  const look = (number: number) => {
    const found = upstream.looks[number]
    if (found === undefined) throw new Error(`there was no look ${number}`)
    return found
  }
  return { reader, looker, cache, results, updates, noted, settled, look, looks: upstream.looks }
}
const say = (state: string, text = state) => snapshotOf(state, Date.now(), text)

/** Notes the outcome of a read without waiting for it. The list is empty until the read ends. */
const watch = (read: Promise<{ how: string; snapshot: { state: string } }>) => {
  const seen: string[] = []
  read.then(
    ({ how, snapshot }) => void seen.push(`${how} ${snapshot.state}`),
    (error) => void seen.push(error instanceof Problem ? error.code : String(error)),
  )
  return seen
}

describe('a read', () => {
  it('asks lemlist when nothing is known, and tells the follower the answer', async () => {
    const { reader, settled, look, noted, updates } = start()
    const seen = watch(reader.read(REF))
    await settled()
    look(0).answer(say('pending'))
    await settled()
    expect([seen, noted]).toEqual([['miss pending'], ['pending']])
    expect(updates.published.map(({ kind }) => kind)).toEqual(['status'])
  })

  it('of a final export asks lemlist once; after that `peek` has the answer without a promise', async () => {
    const { reader, settled, look, looks } = start()
    const seen = watch(reader.read(REF))
    await settled()
    look(0).answer(say('done'))
    await settled()
    expect(seen).toEqual(['miss done'])
    expect(reader.peek(REF)?.how).toBe('hit')
    expect((await reader.read(REF)).how).toBe('hit')
    expect(looks).toHaveLength(1)
  })

  it('is due when it arrives, and waits in line no longer than its patience', async () => {
    const { reader, settled, look } = start()
    watch(reader.read(REF))
    await settled()
    const { due, giveUpAt } = look(0).turn
    expect(giveUpAt - due).toBe(PATIENCE_MS)
  })

  // Regression: when Redis went away, reads in line waited for a budget that had no calls to give.
  it('that already stands in line gives up when the budget becomes too small to wait for', async () => {
    let budgetPatienceMs = Number.POSITIVE_INFINITY
    const { reader, settled } = start({ budgetPatienceMs: () => budgetPatienceMs })
    const seen = watch(reader.read(REF))
    await settled()
    await vi.advanceTimersByTimeAsync(150)
    expect(seen).toEqual([])
    budgetPatienceMs = 100
    await vi.advanceTimersByTimeAsync(100)
    expect(seen).toEqual(['budget-exhausted'])
  })

  it('goes on when the store fails', async () => {
    const { reader, results, settled, look } = start()
    results.failure = new Error('away')
    const seen = watch(reader.read(REF))
    await settled()
    look(0).answer(say('done'))
    await settled()
    expect(seen).toEqual(['miss done'])
  })
})

describe('reads at the same time', () => {
  it('share one look, and the next read has its own', async () => {
    const { reader, settled, look, looks } = start()
    const first = watch(reader.read(REF))
    const second = watch(reader.read(REF))
    await settled()
    expect([looks.length, look(0).hurried.length]).toEqual([1, 1])
    look(0).answer(say('pending'))
    await settled()
    expect([first, second]).toEqual([['miss pending'], ['collapsed pending']])
    watch(reader.read(REF))
    await settled()
    expect(looks).toHaveLength(2)
  })

  it('of different exports, or of one export in two accounts, share nothing', async () => {
    const { reader, settled, looks } = start()
    for (const ref of [REF, { ...REF, exportId: 'axp_2' }, { ...REF, account: 'other' }]) {
      watch(reader.read(ref))
    }
    await settled()
    expect(looks).toHaveLength(3)
  })

  it('share a failure, after which lemlist is asked again', async () => {
    const { reader, settled, look, looks } = start()
    const both = [watch(reader.read(REF)), watch(reader.read(REF))]
    await settled()
    look(0).fail(new Problem('upstream-unavailable', 'away'))
    await settled()
    expect(both).toEqual([['upstream-unavailable'], ['upstream-unavailable']])
    watch(reader.read(REF))
    await settled()
    expect(looks).toHaveLength(2)
  })

  it('have a patience each: the first read gives up, and the look goes on for the others', async () => {
    const { reader, settled, look } = start()
    const first = watch(reader.read(REF))
    await vi.advanceTimersByTimeAsync(3_000)
    const second = watch(reader.read(REF))
    await vi.advanceTimersByTimeAsync(PATIENCE_MS - 3_000)
    expect([first, second]).toEqual([['budget-exhausted'], []])
    look(0).answer(say('pending'))
    await settled()
    expect(second).toEqual(['collapsed pending'])
  })

  it('begin a look of their own when the poll that they have joined gives up before them', async () => {
    const { reader, looker, settled, look, looks } = start()
    const giveUpAt = performance.now() + 1_000
    const poll = looker.look(REF, { due: 0, giveUpAt, callClass: 'watched' }).flight
    poll.answer.catch(() => {})
    const joined = [watch(reader.read(REF)), watch(reader.read(REF))]
    await settled()
    look(0).fail(new Problem('budget-exhausted', '', { notSent: true }))
    await settled()
    expect(looks).toHaveLength(2)
    look(1).answer(say('pending'))
    await settled()
    expect(joined).toEqual([['miss pending'], ['collapsed pending']])
  })

  it('wait for their call once it is under way, however long it takes', async () => {
    const { reader, settled, look } = start()
    const seen = watch(reader.read(REF))
    await settled()
    look(0).leave()
    await vi.advanceTimersByTimeAsync(PATIENCE_MS + 5_000)
    expect(seen).toEqual([])
    look(0).answer(say('pending'))
    await settled()
    expect(seen).toEqual(['miss pending'])
  })
})

describe('while a pending observation is young, trouble', () => {
  const PASSING = ['budget-exhausted', 'upstream-unavailable', 'upstream-timeout'] as const
  const OTHERS = ['upstream-invalid', 'upstream-credentials', 'campaign-not-found'] as const

  const seenPending = async (options: Parameters<typeof start>[0] = {}) => {
    const started = start(options)
    watch(started.reader.read(REF))
    await started.settled()
    started.look(0).answer(say('pending'))
    await started.settled()
    return started
  }

  it.each(PASSING)('that passes (%s) is answered with the observation', async (code) => {
    const { reader, settled, look } = await seenPending()
    const seen = watch(reader.read(REF))
    await settled()
    look(1).fail(new Problem(code, 'trouble'))
    await settled()
    expect(seen).toEqual(['stale pending'])
  })

  it('is told while other replicas may have shown the end already', async () => {
    // Regression: while Redis was away, a read showed `pending` after another replica showed `done`.
    const { reader, settled, look } = await seenPending({ isAlone: () => true })
    const seen = watch(reader.read(REF))
    await settled()
    look(1).fail(new Problem('upstream-unavailable', 'trouble'))
    await settled()
    expect(seen).toEqual(['upstream-unavailable'])
  })

  it('that is the end of a read’s patience is answered with the observation', async () => {
    const { reader } = await seenPending()
    const seen = watch(reader.read(REF))
    await vi.advanceTimersByTimeAsync(PATIENCE_MS)
    expect(seen).toEqual(['stale pending'])
  })

  it.each(PASSING)(
    'that passes (%s) is told when the observation is a minute old',
    async (code) => {
      const { reader, settled, look } = await seenPending()
      await vi.advanceTimersByTimeAsync(60_000)
      const seen = watch(reader.read(REF))
      await settled()
      look(1).fail(new Problem(code, 'trouble'))
      await settled()
      expect(seen).toEqual([code])
    },
  )

  it.each(OTHERS)('that does not pass (%s) is told', async (code) => {
    const { reader, settled, look } = await seenPending()
    const seen = watch(reader.read(REF))
    await settled()
    look(1).fail(new Problem(code, 'trouble'))
    await settled()
    expect(seen).toEqual([code])
  })

  it('that nobody foresaw is thrown as it is', async () => {
    const { reader, settled, look } = await seenPending()
    const seen = watch(reader.read(REF))
    await settled()
    look(1).fail(new TypeError('a bug'))
    await settled()
    expect(seen).toEqual(['TypeError: a bug'])
  })
})

describe('a 404 of lemlist', () => {
  const notFound = () => new Problem('export-not-found', 'unknown', { upstreamStatus: 404 })

  const outcome = async (started: ReturnType<typeof start>, number: number) => {
    const { reader, settled, look } = started
    const seen = watch(reader.read(REF))
    await settled()
    look(number).fail(notFound())
    await settled()
    return seen
  }

  it('means not found for an export that nobody has seen', async () => {
    expect(await outcome(start(), 0)).toEqual(['export-not-found'])
  })

  it('means timed out when the export was seen pending a moment ago', async () => {
    const started = start()
    watch(started.reader.read(REF))
    await started.settled()
    started.look(0).answer(say('pending'))
    await started.settled()
    expect(await outcome(started, 1)).toEqual(['export-timed-out'])
  })

  // Regression: only a pending observation of the last minute counted. A later 404 was told as if
  // the export had never existed.
  it('means timed out when the export was seen pending long ago and is followed', async () => {
    expect(await outcome(start({ standing: 'followed' }), 0)).toEqual(['export-timed-out'])
  })

  it('means not found for an export that was started just now', async () => {
    expect(await outcome(start({ standing: 'young' }), 0)).toEqual(['export-not-found'])
  })

  it('is not remembered: the next read asks again', async () => {
    const started = start()
    await outcome(started, 0)
    await outcome(started, 1)
    expect(started.looks).toHaveLength(2)
    expect(started.results.records.size).toBe(0)
  })
})

describe('a read of an id that nobody has seen before', () => {
  const CRM = { callerId: 'key:crm' }
  const unknown = (number: number) => ({ ...REF, exportId: `axp_Unknown${number}` })
  const readMany = (
    { reader }: ReturnType<typeof start>,
    count: number,
    from = 0,
    caller: ReadOptions = CRM,
  ) =>
    Array.from({ length: count }, (_, index) => watch(reader.read(unknown(from + index), caller)))

  it('is not counted without a caller', async () => {
    const started = start()
    readMany(started, 100, 0, {})
    await started.settled()
    expect(started.looks).toHaveLength(100)
  })

  it('waits for the allowance of its caller, and no longer than his patience', async () => {
    const started = start()
    const seen = readMany(started, 20)
    await started.settled()
    expect(started.looks).toHaveLength(4)
    expect(seen.flat()).toEqual(Array(8).fill('budget-exhausted'))
    await vi.advanceTimersByTimeAsync(4_100)
    expect(started.looks).toHaveLength(12)
    expect(vi.getTimerCount()).toBeGreaterThan(0)
    await vi.advanceTimersByTimeAsync(PATIENCE_MS)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('counts from its arrival when it is refused in line', async () => {
    const started = start()
    const seen = readMany(started, 5)
    await vi.advanceTimersByTimeAsync(PATIENCE_MS + 1)
    expect(seen.flat()).toEqual(Array(5).fill('budget-exhausted'))
  })

  it('takes nothing from the allowance of another caller', async () => {
    const started = start()
    readMany(started, 100)
    readMany(started, 4, 100, { callerId: 'key:other' })
    await started.settled()
    expect(started.looks).toHaveLength(8)
  })

  it('is counted once for all who share its look', async () => {
    const started = start()
    for (let reads = 0; reads < 50; reads += 1) watch(started.reader.read(REF, CRM))
    await started.settled()
    readMany(started, 3)
    await started.settled()
    expect(started.looks).toHaveLength(4)
  })

  it('makes no call when the export became known while it waited', async () => {
    const started = start()
    readMany(started, 4)
    const seen = watch(started.reader.read(REF, CRM))
    await started.settled()
    await started.cache.keep(REF, say('done'))
    await vi.advanceTimersByTimeAsync(2_100)
    expect(seen).toEqual(['hit done'])
    expect(started.looks).toHaveLength(4)
  })

  it('is no such read when the gateway follows the export', async () => {
    const started = start({ standing: 'followed' })
    readMany(started, 100)
    await started.settled()
    expect(started.looks).toHaveLength(100)
  })
})
