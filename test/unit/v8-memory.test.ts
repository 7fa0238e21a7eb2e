import { describe, expect, it } from 'vitest'
import { createYoungHeapWatch } from '../../src/v8-memory.ts'

const MIB = 1_024 * 1_024

const watchRoom = () => {
  const said: boolean[] = []
  let room = 2 * MIB
  let looks = 0
  const opened = createYoungHeapWatch({
    roomBytes: () => {
      looks += 1
      return room
    },
    mayGrow: (may) => void said.push(may),
  })
  const tell = (from: number, to: number): void => {
    const step = from < to ? 1 : -1
    for (let open = from; open !== to; open += step) opened(open)
  }
  const grow = (bytes: number): void => {
    room = bytes
  }
  return { said, tell, grow, looks: () => looks }
}

describe('the room for new objects', () => {
  it('grows as ever while few streams are open, however large it is', () => {
    const { said, tell, grow } = watchRoom()
    grow(64 * MIB)
    tell(0, 100)
    tell(99, -1)
    expect(said).toEqual([])
  })

  it('grows to 4 MiB and no further while many streams are open', () => {
    const { said, tell, grow } = watchRoom()
    tell(0, 500)
    expect(said).toEqual([])
    grow(4 * MIB)
    tell(500, 10_000)
    expect(said).toEqual([false])
  })

  it('is looked at every 50 streams while it grows, and every 200 once it does not', () => {
    const { tell, grow, looks } = watchRoom()
    tell(100, 1_100)
    expect(looks()).toBe(20)
    grow(4 * MIB)
    tell(1_100, 3_100)
    expect(looks()).toBe(20 + 1 + 10)
  })

  it('may grow again when most streams have left', () => {
    const { said, tell, grow } = watchRoom()
    grow(4 * MIB)
    tell(0, 1_000)
    tell(1_000, -1)
    expect(said).toEqual([false, true])
  })
})
