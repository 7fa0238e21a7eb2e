import { performance } from 'node:perf_hooks'
import { beforeEach, describe, expect, it, vi } from 'vitest'
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
  const enter = (name: string, due = 0, patienceMs = Number.POSITIVE_INFINITY) => {
    const place = line.enter({ due, giveUpAt: performance.now() + patienceMs })
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
    poll.hurry({ due: 1, giveUpAt: 1_000 })
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['poll', 'first'])
  })

  it('that is hurried with a later due time keeps its own', async () => {
    const { line } = start({ waits: [10] })
    const { left, enter } = visitors(line)
    const early = enter('early', 1)
    enter('other', 5)
    early.hurry({ due: 100, giveUpAt: 0 })
    await vi.advanceTimersByTimeAsync(10)
    expect(left).toEqual(['early', 'other'])
  })

  it('is given up when its time is over, and the problem says when to come back', async () => {
    const { line } = start({ waits: [30_000] })
    const place = line.enter({ due: 0, giveUpAt: performance.now() + 5_000 })
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
    place.hurry({ due: 0, giveUpAt: performance.now() + 1_000 })
    await vi.advanceTimersByTimeAsync(999)
    expect([place.isWaiting(), refused]).toEqual([true, []])
    await vi.advanceTimersByTimeAsync(1)
    expect(refused).toEqual(['a: budget-exhausted'])
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
    poll.hurry({ due: 0, giveUpAt: performance.now() + 10 })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(poll.isWaiting()).toBe(true)
  })

  it('that was left cannot be hurried', async () => {
    const { line } = start()
    const { left, enter } = visitors(line)
    const place = enter('a')
    await vi.advanceTimersByTimeAsync(0)
    place.hurry({ due: 0, giveUpAt: performance.now() + 10 })
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
