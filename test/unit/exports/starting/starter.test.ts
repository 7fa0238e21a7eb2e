import { describe, expect, it } from 'vitest'
import type { Begun, Idempotency, Started } from '../../../../src/exports/ports.ts'
import { createStarter } from '../../../../src/exports/starting/starter.ts'
import { Problem, type ProblemCode } from '../../../../src/problems.ts'
import { createMemoryIdempotency } from '../../../../src/store/memory/idempotency.ts'
import { fakeObserver, fakeResults, snapshotOf } from '../../../helpers/fakes.ts'

const HOUR = 3_600_000
const campaign = { account: 'default', campaignId: 'cam_A' }
const ada = { caller: 'ada', key: 'key-1' }

/** A starter with a memory store and a clock of the test. lemlist answers what the test says. */
const setUp = (idempotency?: Partial<Idempotency>) => {
  let time = 1_800_000_000_000
  let started = 0
  const followed: string[] = []
  const resumed: string[] = []
  const order: string[] = []
  const lemlist = { answer: async (): Promise<Started> => startedAs(`axp_${started}`) }
  const observer = fakeObserver()
  const memory = createMemoryIdempotency({ now: () => time })
  const results = fakeResults()
  const starter = createStarter({
    upstream: {
      start: () => {
        started += 1
        order.push('start')
        return lemlist.answer()
      },
    },
    idempotency: {
      begin: memory.begin,
      finish: async (...given) => {
        order.push('finish')
        await memory.finish(...given)
      },
      giveUp: memory.giveUp,
      forget: memory.forget,
      ...idempotency,
    },
    follower: {
      begin: async ({ exportId }) => {
        order.push('follow')
        followed.push(exportId)
      },
      resume: async ({ exportId }) => void resumed.push(exportId),
    },
    results,
    observer,
    patienceMs: 4_500,
    timeoutMs: 10_000,
    now: () => time,
  })
  const start = async (once = ada, at = campaign) => (await starter.start(at, once)).exportId
  return {
    start,
    starter,
    lemlist,
    results,
    followed,
    resumed,
    order,
    told: observer.told,
    started: () => started,
    pass: (ms: number) => {
      time += ms
    },
  }
}

const startedAs = (exportId: string, more = ''): Started => ({
  exportId,
  body: Buffer.from(`{"id":"${exportId}"${more}}`),
})

const failing =
  (code: ProblemCode, notSent = false) =>
  async (): Promise<never> => {
    throw new Problem(code, 'lemlist did not start it.', { notSent })
  }

describe('a start with a key', () => {
  it('gets the same answer, byte for byte, for 24 h, and is a new start after that', async () => {
    const { start, starter, pass, started } = setUp()
    expect(await start()).toBe('axp_1')
    const first = await starter.start(campaign, ada)
    pass(24 * HOUR - 1)
    const last = await starter.start(campaign, ada)
    expect([Buffer.from(last.body).toString(), last.exportId]).toEqual([
      Buffer.from(first.body).toString(),
      'axp_1',
    ])
    expect(started()).toBe(1)
    pass(1)
    expect(await start()).toBe('axp_2')
  })

  it.each([
    ['another key', { ...ada, key: 'key-2' }, campaign],
    ['another caller', { ...ada, caller: 'bob' }, campaign],
    ['another campaign', ada, { ...campaign, campaignId: 'cam_B' }],
    ['another account', ada, { ...campaign, account: 'other' }],
    [
      'the same letters, split otherwise between caller and key',
      { caller: 'ad', key: 'akey-1' },
      campaign,
    ],
  ])('is a new start with %s', async (_, once, at) => {
    const { start, started } = setUp()
    await start()
    await start(once, at)
    expect(started()).toBe(2)
  })

  it('is followed, after its answer has been stored', async () => {
    const { start, followed, order } = setUp()
    await start()
    expect(followed).toEqual(['axp_1'])
    expect(order).toEqual(['start', 'finish', 'follow'])
  })

  it('is followed again when the request is repeated, unless its end is known', async () => {
    // Regression: a process was killed after it had stored the answer and before it tracked the export.
    // The repeated request got that answer, but nobody followed the export.
    const { start, followed, resumed, results } = setUp()
    const exportId = await start()
    await start()
    expect([followed, resumed]).toEqual([[exportId], [exportId]])
    const snapshot = { ...snapshotOf('done', 0), endOfLife: HOUR }
    await results.put({ ...campaign, exportId }, { kind: 'final', snapshot, forgetAt: HOUR })
    await start()
    expect(resumed).toHaveLength(1)
  })

  it('is followed again when the store cannot say whether its export is over', async () => {
    const { start, resumed, results, told } = setUp()
    await start()
    results.failure = new Error('away')
    await start()
    expect([resumed.length, told]).toEqual([1, ['storeFailed results.get']])
  })

  // Regression: the id was stored before the body, so the longest answer was too long to be stored.
  it('is stored even when its answer has 16 KiB, the most that is allowed', async () => {
    const { start, starter, lemlist, told } = setUp()
    const padding = 16 * 1024 - startedAs('axp_Long', ',"note":""').body.byteLength
    lemlist.answer = async () => startedAs('axp_Long', `,"note":"${'x'.repeat(padding)}"`)
    await start()
    const { body, exportId } = await starter.start(campaign, ada)
    expect([body.byteLength, exportId, told]).toEqual([16 * 1024, 'axp_Long', []])
  })

  it('is known by `_id` when lemlist gives no `id`', async () => {
    const { start, lemlist } = setUp()
    const body = Buffer.from('{"_id":"axp_Under"}')
    lemlist.answer = async () => ({ exportId: 'axp_Under', body })
    await start()
    expect(await start()).toBe('axp_Under')
  })
})

describe('while a start with the key is under way, another one', () => {
  it('is refused as in progress while the first may still end, then as unknown, and starts nothing', async () => {
    const { start, lemlist, pass, started } = setUp()
    const answer = Promise.withResolvers<Started>()
    lemlist.answer = () => answer.promise
    const first = start()
    await expect(start()).rejects.toMatchObject({ code: 'idempotency-in-progress' })
    pass(4_500 + 10_000)
    await expect(start()).rejects.toMatchObject({ code: 'idempotency-in-progress' })
    pass(2_000)
    await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
    answer.resolve(startedAs('axp_Late'))
    expect(await first).toBe('axp_Late')
    expect(await start()).toBe('axp_Late')
    expect(started()).toBe(1)
  })
})

describe('a start that failed', () => {
  it.each([
    ['was never sent', failing('upstream-unavailable', true)],
    ['found nobody listening in time', failing('upstream-timeout', true)],
    ['found no slot, or a 429', failing('budget-exhausted')],
    ['came with a key that lemlist refuses', failing('upstream-credentials')],
    ['names no campaign of lemlist’s', failing('campaign-not-found')],
  ])('because it %s sets the key free', async (_, fail) => {
    const { start, lemlist, started } = setUp()
    const works = lemlist.answer
    lemlist.answer = fail
    await expect(start()).rejects.toBeInstanceOf(Problem)
    lemlist.answer = works
    expect(await start()).toBe('axp_2')
    expect(started()).toBe(2)
  })

  it.each([
    ['broke off', failing('upstream-unavailable')],
    ['took too long', failing('upstream-timeout')],
    ['has an answer that cannot be used', failing('upstream-invalid')],
    [
      'met a bug',
      async (): Promise<never> => {
        throw new TypeError('oops')
      },
    ],
  ])('because it %s keeps the key, for 24 h', async (_, fail) => {
    const { start, lemlist, started, pass } = setUp()
    const works = lemlist.answer
    lemlist.answer = fail
    await expect(start()).rejects.toThrow()
    lemlist.answer = works
    await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
    pass(24 * HOUR - 1)
    await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
    expect(started()).toBe(1)
    pass(1)
    expect(await start()).toBe('axp_2')
  })
})

describe('an answer in the store that is no answer to a start', () => {
  // Regression: another program had written it, and the caller got a 500.
  it.each(['', 'null', '{}', '{"id":7}', '{"id":"../x"}'])(
    'counts as an unknown outcome, and starts nothing: %s',
    async (said) => {
      const begin = async () => ({ state: 'finished', answer: Buffer.from(said) }) as const
      const { start, started } = setUp({ begin })
      await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
      expect(started()).toBe(0)
    },
  )
})

describe('while the store is away', () => {
  const away = async (): Promise<never> => {
    throw new Error('away')
  }

  it('a start with a key starts nothing', async () => {
    const { start, started, told } = setUp({ begin: away })
    await expect(start()).rejects.toMatchObject({
      code: 'store-unavailable',
      options: { retryAfterMs: 5_000 },
    })
    expect([started(), told]).toEqual([0, ['storeFailed idempotency.begin']])
  })

  it('a start without a key works', async () => {
    const { starter, followed } = setUp({ begin: away })
    expect((await starter.start(campaign)).exportId).toBe('axp_1')
    expect(followed).toEqual(['axp_1'])
  })

  it('the caller gets an answer that cannot be stored, and a repeated start starts nothing', async () => {
    const { start, started, told, pass } = setUp({ finish: away })
    expect(await start()).toBe('axp_1')
    expect(told).toEqual(['storeFailed idempotency.finish'])
    pass(60_000)
    await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
    expect(started()).toBe(1)
  })

  it('a refusal is told although its key cannot be set free', async () => {
    const { start, lemlist, told } = setUp({ forget: away })
    lemlist.answer = failing('upstream-unavailable', true)
    await expect(start()).rejects.toMatchObject({ code: 'upstream-unavailable' })
    expect(told).toEqual(['storeFailed idempotency.forget'])
  })

  it('a failure is told although its key cannot be given up', async () => {
    const { start, lemlist, told } = setUp({ giveUp: away })
    lemlist.answer = failing('upstream-timeout')
    await expect(start()).rejects.toMatchObject({ code: 'upstream-timeout' })
    expect(told).toEqual(['storeFailed idempotency.giveUp'])
  })
})

it('the store gets keys as hashes of one length, whatever callers send', async () => {
  const kept: string[] = []
  const begin = async (key: string): Promise<Begun> => {
    kept.push(key)
    return { state: 'in-progress' }
  }
  const { start } = setUp({ begin })
  for (const key of ['a', 'x'.repeat(255), 'secret-of-a-caller']) {
    await expect(start({ ...ada, key })).rejects.toThrow()
  }
  expect(kept).toHaveLength(3)
  for (const key of kept) expect(key).toMatch(/^[\w-]{43}$/)
})
