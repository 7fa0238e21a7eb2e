import { performance } from 'node:perf_hooks'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Turn } from '../../../src/exports/ports.ts'
import {
  createWaitingLine,
  type Place,
  type WaitingLine,
} from '../../../src/lemlist/waiting-line.ts'
import { Problem } from '../../../src/problems.ts'
import { useFakeTime } from '../../helpers/fake-time.ts'

beforeEach(useFakeTime)

/** A waiting line on a budget that gives these answers, in order, and then always 0. */
const start = ({ waits = [], maxRunning = 100, maxWaiting = 100 }: Options = {}) => {
  let taken = 0
  const answers = [...waits]
  const take = async () => {
    const wait = answers.shift() ?? 0
    if (wait === 0) taken += 1
    return wait
  }
  const line = createWaitingLine({ take, maxRunning, maxWaiting })
  return { line, taken: () => taken }
}
interface Options {
  readonly waits?: readonly number[]
  readonly maxRunning?: number
  readonly maxWaiting?: number
}

/**
 * Visitors enter the line with a due time and a patience that counts from now. The names of those
 * who leave the line and of those who are refused are noted.
 */
const visitors = (line: WaitingLine) => {
  const left: string[] = []
  const refused: string[] = []
  const enter = (
    name: string,
    due = 0,
    patienceMs = Number.POSITIVE_INFINITY,
    more: Partial<Turn> = {},
    unlimited = false,
  ) => {
    const giveUpAt = performance.now() + patienceMs
    const place = line.enter({ due, giveUpAt, callClass: 'watched', ...more }, unlimited)
    const over = place.slot.then(
      (release) => {
        left.push(name)
        return release
      },
      (error: unknown) => {
        refused.push(error instanceof Problem ? `${name}: ${error.code}` : `${name}: ${error}`)
        return () => {}
      },
    )
    return { ...place, over }
  }
  return { left, refused, enter }
}

const refusalOf = ({ slot }: Place): Promise<Problem> =>
  slot.then(
    () => Promise.reject(new Error('it was let go')),
    (error: unknown) => (error instanceof Problem ? error : Promise.reject(error)),
  )

describe('the waiting line', () => {
  it('lets everybody go at once while the budget lasts', async () => {
    const { line, taken } = start()
    const { left, enter } = visitors(line)
    const places = ['a', 'b', 'c'].map((name) => enter(name))
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['a', 'b', 'c'])
    expect(places.map(({ isWaiting }) => isWaiting())).toEqual([false, false, false])
    expect([line.length(), taken()]).toEqual([0, 3])
  })

  it('lets the earliest due time go first, and equal ones in the order of their arrival', async () => {
    const { line } = start({ waits: [10] })
    const { left, enter } = visitors(line)
    for (const [name, due] of [
      ['b1', 2],
      ['c', 3],
      ['a', 1],
      ['b2', 2],
    ] as const)
      enter(name, due)
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['a', 'b1', 'b2', 'c'])
  })

  it('takes the slot first and picks the head of the line then, which may have come in between', async () => {
    const { line } = start({ waits: [100, 0, 1_000] })
    const { left, enter } = visitors(line)
    enter('patient', 50)
    await vi.advanceTimersByTimeAsync(99)
    enter('urgent', 10)
    await vi.advanceTimersByTimeAsync(1)
    expect(left).toEqual(['urgent'])
  })

  it('waits as long as the budget says, and asks again then', async () => {
    const { line, taken } = start({ waits: [100, 50] })
    const { left, enter } = visitors(line)
    enter('a')
    await vi.advanceTimersByTimeAsync(149)
    expect(left).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect([left, taken()]).toEqual([['a'], 1])
  })

  it('takes no slot when nobody waits', async () => {
    const { line, taken } = start({ waits: [100] })
    const { refused, enter } = visitors(line)
    enter('a', 0, 50)
    await vi.advanceTimersByTimeAsync(10_000)
    expect([refused, taken()]).toEqual([['a: budget-exhausted'], 0])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a place in line', () => {
  it('that is hurried goes before those who are due later', async () => {
    const { line } = start({ waits: [10] })
    const { left, enter } = visitors(line)
    enter('first', 5)
    const poll = enter('poll', 100)
    poll.hurry({ due: 1, giveUpAt: 1_000, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['poll', 'first'])
  })

  it('that is hurried with a later due time keeps its own', async () => {
    const { line } = start({ waits: [10] })
    const { left, enter } = visitors(line)
    const early = enter('early', 1)
    enter('other', 5)
    early.hurry({ due: 100, giveUpAt: 0, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['early', 'other'])
  })

  it('is given up when its time is over, and the problem says when to come back', async () => {
    const { line } = start({ waits: [30_000] })
    const giveUpAt = performance.now() + 5_000
    const place = line.enter({ due: 0, giveUpAt, callClass: 'watched' })
    const refused = refusalOf(place)
    await vi.advanceTimersByTimeAsync(4_999)
    expect(place.isWaiting()).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect(place.isWaiting()).toBe(false)
    const { code, options } = await refused
    expect(code).toBe('budget-exhausted')
    expect(options.retryAfterMs).toBeGreaterThan(24_900)
    expect(options.retryAfterMs).toBeLessThanOrEqual(25_000)
  })

  it('is given up no earlier than the last caller who joined it allows', async () => {
    const { line } = start({ waits: [60_000] })
    const { refused, enter } = visitors(line)
    const place = enter('a', 0, 1_000)
    await vi.advanceTimersByTimeAsync(900)
    place.hurry({ due: 0, giveUpAt: performance.now() + 1_000, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(999)
    expect([place.isWaiting(), refused]).toEqual([true, []])
    await vi.advanceTimersByTimeAsync(1)
    expect(refused).toEqual(['a: budget-exhausted'])
  })

  it('is given up when its poll must leave, whoever has joined it', async () => {
    // Regression: callers who joined kept a poll in line until its claim ended, and another replica
    // made the same call.
    const { line } = start({ waits: [60_000] })
    const { refused, enter } = visitors(line)
    const latestAt = performance.now() + 1_000
    const poll = enter('poll', 0, 1_000, { latestAt })
    const call = enter('call', 0, 500)
    for (const place of [poll, call]) {
      place.hurry({ due: 0, giveUpAt: performance.now() + 9_000, latestAt, callClass: 'watched' })
    }
    await vi.advanceTimersByTimeAsync(999)
    expect(refused).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(refused).toEqual(['poll: budget-exhausted', 'call: budget-exhausted'])
  })

  it('of a poll is never given up', async () => {
    const { line } = start({ waits: [3_600_000] })
    const { left, enter } = visitors(line)
    const poll = enter('poll', 0)
    await vi.advanceTimersByTimeAsync(3_599_999)
    expect(poll.isWaiting()).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect(left).toEqual(['poll'])
  })

  it('of a poll that a caller joins is still never given up', async () => {
    const { line } = start({ waits: [60_000] })
    const { enter } = visitors(line)
    const poll = enter('poll', 100)
    poll.hurry({ due: 0, giveUpAt: performance.now() + 10, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(poll.isWaiting()).toBe(true)
  })

  it('that was left cannot be hurried', async () => {
    const { line } = start()
    const { left, enter } = visitors(line)
    const place = enter('a')
    await vi.advanceTimersByTimeAsync(0)
    place.hurry({ due: 0, giveUpAt: performance.now() + 10, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(100)
    expect([left, line.length()]).toEqual([['a'], 0])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('calls under way', () => {
  it('are never more than there are sockets, and the next goes when one is over', async () => {
    const { line, taken } = start({ maxRunning: 2 })
    const { left, enter } = visitors(line)
    const [first] = ['a', 'b', 'c', 'd'].map((name) => enter(name))
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([left, taken()]).toEqual([['a', 'b'], 2])
    const release = await first?.over
    release?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['a', 'b', 'c'])
  })

  it('free their place once, however often they are released', async () => {
    const { line } = start({ maxRunning: 1 })
    const { left, enter } = visitors(line)
    const [first] = ['a', 'b', 'c'].map((name) => enter(name))
    await vi.advanceTimersByTimeAsync(0)
    const release = await first?.over
    release?.()
    release?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['a', 'b'])
  })

  it('that never end do not keep others from giving up', async () => {
    const { line } = start({ maxRunning: 1 })
    const { refused, enter } = visitors(line)
    enter('a')
    enter('b', 0, 10)
    await vi.advanceTimersByTimeAsync(10)
    expect(refused).toEqual(['b: budget-exhausted'])
  })
})

describe('a call that has sockets of its own', () => {
  it('neither waits for the calls under way nor keeps other calls waiting', async () => {
    // Regression: 32 downloads for which lemlist sent no headers kept every status waiting for 10 s.
    const { line } = start({ maxRunning: 1 })
    const { left, enter } = visitors(line)
    for (const name of ['file 1', 'file 2']) enter(name, 0, Number.POSITIVE_INFINITY, {}, true)
    for (const name of ['status 1', 'status 2']) enter(name)
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['file 1', 'file 2', 'status 1'])
    enter('file 3', 0, Number.POSITIVE_INFINITY, {}, true)
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['file 1', 'file 2', 'status 1', 'file 3'])
  })
})

describe('a call that nobody wants any more', () => {
  it('leaves the line without a slot when it would be its turn', async () => {
    const { line, taken } = start({ waits: [100] })
    const { left, refused, enter } = visitors(line)
    let wanted = true
    enter('a', 0, Number.POSITIVE_INFINITY, { isWanted: () => wanted })
    enter('b', 1)
    await vi.advanceTimersByTimeAsync(50)
    wanted = false
    await vi.advanceTimersByTimeAsync(50)
    expect([left, refused, taken()]).toEqual([['b'], ['a: budget-exhausted'], 1])
  })

  it('takes no slot when it stands in line alone', async () => {
    const { line, taken } = start({ waits: [100] })
    const { refused, enter } = visitors(line)
    let wanted = true
    enter('a', 0, Number.POSITIVE_INFINITY, { isWanted: () => wanted })
    await vi.advanceTimersByTimeAsync(50)
    wanted = false
    await vi.advanceTimersByTimeAsync(50)
    expect([refused, taken()]).toEqual([['a: budget-exhausted'], 0])
  })

  it('is wanted again when a caller joins it', async () => {
    const { line } = start({ waits: [100] })
    const { left, enter } = visitors(line)
    let wanted = true
    const poll = enter('a', 9, 1_000, { isWanted: () => wanted, callClass: 'unconfirmed' })
    await vi.advanceTimersByTimeAsync(50)
    poll.hurry({ due: 0, giveUpAt: performance.now() + 1_000, callClass: 'watched' })
    wanted = false
    await vi.advanceTimersByTimeAsync(100)
    expect(left).toEqual(['a'])
  })
})

describe('the shares of the classes', () => {
  /** Puts so many calls of each name into the line. Resolves to the names in the order of leaving. */
  const order = async (counts: Record<string, [Turn['callClass'], number, number]>) => {
    const { line } = start({ waits: [10], maxWaiting: 1_000, maxRunning: 1_000 })
    const { left, enter } = visitors(line)
    for (const [name, [callClass, count, due]] of Object.entries(counts)) {
      for (let n = 0; n < count; n += 1) {
        enter(name, due, Number.POSITIVE_INFINITY, { callClass })
      }
    }
    await vi.advanceTimersByTimeAsync(10)
    return left
  }
  const partOf = (left: readonly string[], name: string) =>
    left.filter((one) => one === name).length / left.length

  it('give exports that nobody watches a quarter of the slots, however many are watched', async () => {
    const left = await order({ watched: ['watched', 90, 0], idle: ['idle', 90, 1_000] })
    expect(partOf(left.slice(0, 40), 'idle')).toBe(0.25)
  })

  it('give exports that nobody watches all slots that the others leave', async () => {
    const left = await order({ watched: ['watched', 1, 50], idle: ['idle', 8, 1_000] })
    expect(left.indexOf('watched')).toBeLessThanOrEqual(1)
    expect(partOf(left, 'idle')).toBe(8 / 9)
  })

  it('give unconfirmed exports at most a quarter of the slots while anything else waits', async () => {
    const left = await order({ watched: ['watched', 60, 1_000], unknown: ['unconfirmed', 60, 0] })
    expect(partOf(left.slice(0, 40), 'unknown')).toBe(0.25)
    expect(left.slice(80)).toEqual(Array.from({ length: 40 }, () => 'unknown'))
  })

  it('give unconfirmed exports at most a quarter also when only idle polls wait beside them', async () => {
    const left = await order({ idle: ['idle', 60, 1_000], unknown: ['unconfirmed', 60, 0] })
    expect(partOf(left.slice(0, 40), 'unknown')).toBe(0.25)
  })

  it('keep callers and watched polls in one order, by their due times', async () => {
    const left = await order({ poll: ['watched', 3, 5_000], caller: ['watched', 3, 0] })
    expect(left).toEqual(['caller', 'caller', 'caller', 'poll', 'poll', 'poll'])
  })

  it('leave half of the slots to callers and watched polls when all classes wait', async () => {
    const left = await order({
      watched: ['watched', 90, 1_000],
      idle: ['idle', 90, 0],
      unknown: ['unconfirmed', 90, 0],
    })
    const first = left.slice(0, 80)
    expect(['watched', 'idle', 'unknown'].map((name) => partOf(first, name))).toEqual([
      0.5, 0.25, 0.25,
    ])
  })

  it('give a poll that a caller joins the share of callers', async () => {
    const { line } = start({ waits: [10, 0, 1_000] })
    const { left, enter } = visitors(line)
    enter('unknown 1', 0, Number.POSITIVE_INFINITY, { callClass: 'unconfirmed' })
    const joined = enter('unknown 2', 5, Number.POSITIVE_INFINITY, { callClass: 'unconfirmed' })
    joined.hurry({ due: -1, giveUpAt: 0, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['unknown 2'])
  })
})

describe('a full line', () => {
  it('turns away at once those for whom it has no room', async () => {
    const { line } = start({ waits: [1_000], maxWaiting: 2 })
    const { refused, enter } = visitors(line)
    const places = ['a', 'b', 'c'].map((name) => enter(name))
    await vi.advanceTimersByTimeAsync(0)
    expect(refused).toEqual(['c: budget-exhausted'])
    expect(places.map(({ isWaiting }) => isWaiting())).toEqual([true, true, false])
  })

  it('has room again when one has left', async () => {
    const { line } = start({ waits: [100, 0, 100], maxWaiting: 1 })
    const { left, enter } = visitors(line)
    enter('a')
    await vi.advanceTimersByTimeAsync(100)
    enter('b')
    await vi.advanceTimersByTimeAsync(100)
    expect(left).toEqual(['a', 'b'])
  })
})

describe('a line that is closed', () => {
  it('turns everybody away, lets nobody in and leaves no timer', async () => {
    const { line } = start({ waits: [1_000] })
    const { refused, enter } = visitors(line)
    enter('a', 0, 5_000)
    enter('b')
    await vi.advanceTimersByTimeAsync(0)
    line.close()
    enter('c')
    await vi.advanceTimersByTimeAsync(0)
    expect(refused).toEqual(['a: budget-exhausted', 'b: budget-exhausted', 'c: budget-exhausted'])
    expect([line.length(), vi.getTimerCount()]).toEqual([0, 0])
  })

  it('lets nobody go whose slot comes at that moment', async () => {
    const slot = Promise.withResolvers<number>()
    const line = createWaitingLine({ take: () => slot.promise, maxRunning: 1 })
    const { left, refused, enter } = visitors(line)
    enter('a')
    line.close()
    slot.resolve(0)
    await vi.advanceTimersByTimeAsync(0)
    expect([left, refused]).toEqual([[], ['a: budget-exhausted']])
  })
})

describe('a budget that fails', () => {
  it('fails those who wait, and is asked again by the next', async () => {
    const takes = [() => Promise.reject(new Error('no budget')), async () => 0]
    const line = createWaitingLine({
      take: () => takes.shift()?.() ?? Promise.resolve(0),
      maxRunning: 9,
    })
    const { left, refused, enter } = visitors(line)
    enter('a')
    enter('b')
    await vi.advanceTimersByTimeAsync(0)
    expect(refused).toEqual(['a: Error: no budget', 'b: Error: no budget'])
    enter('c')
    await vi.advanceTimersByTimeAsync(0)
    expect(left).toEqual(['c'])
  })
})
