import { performance } from 'node:perf_hooks'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { CallClass } from '../../../src/exports/schedule.ts'
import { createWaitingLine } from '../../../src/lemlist/waiting-line.ts'
import { useFakeTime } from '../../helpers/fake-time.ts'

beforeEach(useFakeTime)

/** A line on a budget that has one call, for what is due alone, and then none for two seconds. */
const setUp = () => {
  let spare = 1
  const take = async (isDue: boolean): Promise<number> => {
    if (!isDue || spare === 0) return 2_000
    spare -= 1
    return 0
  }
  const line = createWaitingLine({ take, isScarce: () => true, maxRunning: 10 })
  const left: string[] = []
  const enter = (name: string, inMs: number, callClass: CallClass) => {
    const due = performance.now() + inMs
    const place = line.enter({ due, giveUpAt: Number.POSITIVE_INFINITY, callClass })
    place.slot.then(
      () => void left.push(name),
      () => {},
    )
    return place
  }
  return { left, enter, line }
}

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
})
