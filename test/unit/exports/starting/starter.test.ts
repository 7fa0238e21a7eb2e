import { describe, expect, it } from 'vitest'
import type { Begun, Idempotency, Started } from '../../../../src/exports/ports.ts'
import { createStarter } from '../../../../src/exports/starting/starter.ts'
import { Problem, type ProblemCode } from '../../../../src/problems.ts'
import { createMemoryIdempotency } from '../../../../src/store/memory/idempotency.ts'
import { fakeObserver } from '../../../helpers/fakes.ts'

const HOUR = 3_600_000
const campaign = { account: 'default', campaignId: 'cam_A' }
const ada = { caller: 'ada', key: 'key-1' }

/** A starter on a store in memory and a clock that the test moves; lemlist answers what the test says. */
const setUp = (idempotency?: Partial<Idempotency>) => {
  let time = 1_800_000_000_000
  let started = 0
  const followed: string[] = []
  const order: string[] = []
  const lemlist = { answer: async (): Promise<Started> => startedAs(`axp_${started}`) }
  const observer = fakeObserver()
  const memory = createMemoryIdempotency({ now: () => time })
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
    },
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
    followed,
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
  it('is answered again for 24 h, to the byte, and is another after that', async () => {
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
    ['the same letters elsewhere', { caller: 'ad', key: 'akey-1' }, campaign],
  ])('is none with %s', async (_, once, at) => {
    const { start, started } = setUp()
    await start()
    await start(once, at)
    expect(started()).toBe(2)
  })

  it('is followed, and its answer is kept before that', async () => {
    const { start, followed, order } = setUp()
    await start()
    await start()
    expect(followed).toEqual(['axp_1'])
    expect(order).toEqual(['start', 'finish', 'follow'])
  })

  // The id was once kept in front of the body, which made it too long to be kept at all.
  it('is kept though its answer has 16 KiB, the most there may be', async () => {
    const { start, starter, lemlist, told } = setUp()
    const padding = 16 * 1024 - startedAs('axp_Long', ',"note":""').body.byteLength
    lemlist.answer = async () => startedAs('axp_Long', `,"note":"${'x'.repeat(padding)}"`)
    await start()
    const { body, exportId } = await starter.start(campaign, ada)
    expect([body.byteLength, exportId, told]).toEqual([16 * 1024, 'axp_Long', []])
  })

  it('is told by its `_id` where lemlist gives no other', async () => {
    const { start, lemlist } = setUp()
    const body = Buffer.from('{"_id":"axp_Under"}')
    lemlist.answer = async () => ({ exportId: 'axp_Under', body })
    await start()
    expect(await start()).toBe('axp_Under')
  })
})

describe('while a start with the key is under way, another one', () => {
  it('is in progress for as long as it may take, then of unknown outcome, and never a second start', async () => {
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

describe('a store that is away', () => {
  const away = async (): Promise<never> => {
    throw new Error('away')
  }

  it('when the key is to be taken: nothing is started', async () => {
    const { start, started, told } = setUp({ begin: away })
    await expect(start()).rejects.toMatchObject({
      code: 'store-unavailable',
      options: { retryAfterMs: 5_000 },
    })
    expect([started(), told]).toEqual([0, ['storeFailed idempotency.begin']])
  })

  it('is no matter without a key', async () => {
    const { starter, followed } = setUp({ begin: away })
    expect((await starter.start(campaign)).exportId).toBe('axp_1')
    expect(followed).toEqual(['axp_1'])
  })

  it('when the answer is to be kept: the caller has it, and a repeated one starts nothing', async () => {
    const { start, started, told, pass } = setUp({ finish: away })
    expect(await start()).toBe('axp_1')
    expect(told).toEqual(['storeFailed idempotency.finish'])
    pass(60_000)
    await expect(start()).rejects.toMatchObject({ code: 'start-outcome-unknown' })
    expect(started()).toBe(1)
  })

  it('when the key is to be set free: the refusal is told all the same', async () => {
    const { start, lemlist, told } = setUp({ forget: away })
    lemlist.answer = failing('upstream-unavailable', true)
    await expect(start()).rejects.toMatchObject({ code: 'upstream-unavailable' })
    expect(told).toEqual(['storeFailed idempotency.forget'])
  })

  it('when the key is to be given up: the failure is told all the same', async () => {
    const { start, lemlist, told } = setUp({ giveUp: away })
    lemlist.answer = failing('upstream-timeout')
    await expect(start()).rejects.toMatchObject({ code: 'upstream-timeout' })
    expect(told).toEqual(['storeFailed idempotency.giveUp'])
  })
})

it('keys are kept as hashes of one length, whatever callers send', async () => {
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
