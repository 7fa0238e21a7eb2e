import { performance } from 'node:perf_hooks'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Turn } from '../../../src/exports/ports.ts'
import type { CallClass } from '../../../src/exports/schedule.ts'
import { createWaitingLine } from '../../../src/lemlist/waiting-line.ts'
import { useFakeTime } from '../../helpers/fake-time.ts'

beforeEach(useFakeTime)

/**
 * A line on a budget that has one call, for what is due alone, and then none for two seconds. The
 * budget thinks for so many milliseconds before it answers.
 */
const setUp = (thinksMs = 0) => {
  let spare = 1
  const take = async (isDue: () => boolean): Promise<number> => {
    if (thinksMs > 0) await new Promise((resolve) => setTimeout(resolve, thinksMs))
    if (!isDue() || spare === 0) return 2_000
    spare -= 1
    return 0
  }
  const line = createWaitingLine({ take, isScarce: () => true, maxRunning: 10 })
  const left: string[] = []
  const enter = (
    name: string,
    inMs: number,
    callClass: CallClass,
    more: Partial<Pick<Turn, 'giveUpAt' | 'isWanted'>> = {},
  ) => {
    const due = performance.now() + inMs
    const place = line.enter({ due, giveUpAt: Number.POSITIVE_INFINITY, callClass, ...more })
    place.slot.then(
      () => void left.push(name),
      () => {},
    )
    return place
  }
  return { left, enter, line }
}

const until = (at: number) => (): boolean => performance.now() < at

describe('the line while there are only a few slots', () => {
  it('gives them to a caller who comes, and not to the polls that stand there', async () => {
    const { left, enter, line } = setUp()
    enter('idle poll', 60_000, 'idle')
    enter('watched poll', 5_000, 'watched')
    await vi.advanceTimersByTimeAsync(100)
    expect(left).toEqual([])
    enter('caller', 0, 'unconfirmed')
    await vi.advanceTimersByTimeAsync(1)
    expect(left).toEqual(['caller'])
    line.close()
  })

  it('gives one to a poll that a caller joins', async () => {
    const { left, enter, line } = setUp()
    const poll = enter('poll', 5_000, 'watched')
    await vi.advanceTimersByTimeAsync(100)
    const due = performance.now()
    poll.hurry({ due, giveUpAt: Number.POSITIVE_INFINITY, callClass: 'watched' })
    await vi.advanceTimersByTimeAsync(1)
    expect(left).toEqual(['poll'])
    line.close()
  })

  // Regression: the only slot in the window after a switch was counted for a caller who had given up
  // while Redis did not answer, and every other caller was refused.
  it.each([
    ['has given up', () => ({ giveUpAt: performance.now() + 100 })],
    ['is no longer wanted', () => ({ isWanted: until(performance.now() + 100) })],
  ])('spends none on a caller who %s while the budget is asked', async (_, more) => {
    const { left, enter, line } = setUp(250)
    enter('first caller', 0, 'watched', more())
    enter('poll', 60_000, 'watched')
    await vi.advanceTimersByTimeAsync(300)
    enter('second caller', 0, 'watched')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(left).toEqual(['second caller'])
    line.close()
  })

  // Regression: the line asked such a budget again and again, and the process did nothing else. That
  // also hid a bug that a test of the whole fleet plants to prove that it would find it.
  it('asks a budget that does not want to know who is due only when its wait is over', async () => {
    let asked = 0
    const take = async (): Promise<number> => {
      asked += 1
      if (asked > 10) throw new Error('asked without end')
      return 2_000
    }
    const line = createWaitingLine({ take, isScarce: () => true, maxRunning: 10 })
    const due = performance.now()
    const place = line.enter({ due, giveUpAt: due + 3_000, callClass: 'watched' })
    place.slot.catch(() => {})
    await vi.advanceTimersByTimeAsync(1_900)
    expect(asked).toBe(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(asked).toBe(2)
    line.close()
  })
})
