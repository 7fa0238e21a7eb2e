import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { inSlices, nextTurn } from '../../../src/exports/slices.ts'

describe('slices', () => {
  it('are worked on in order, each in a later turn of the event loop than the one before', async () => {
    const seen: string[] = []
    const work = inSlices([1, 2, 3, 4, 5], async (slice) => void seen.push(slice.join()), 2)
    await Promise.resolve()
    expect(seen).toEqual(['1,2'])
    await work
    expect(seen).toEqual(['1,2', '3,4', '5'])
  })
})

describe('the next turn', () => {
  it('lets one caller go on in each turn', async () => {
    // Regression: 200 streams that opened at once all went on in the same turn, and the process stood
    // still for that time.
    let went = 0
    const callers = Array.from({ length: 3 }, () =>
      nextTurn().then(() => {
        went += 1
      }),
    )
    const counts: number[] = []
    for (let turns = 0; turns < 3; turns += 1) {
      await turn()
      counts.push(went)
    }
    await Promise.all(callers)
    expect(counts).toEqual([1, 2, 3])
  })
})
