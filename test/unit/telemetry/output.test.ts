import { describe, expect, it, vi } from 'vitest'
import { createOutput } from '../../../src/telemetry/output.ts'
import { fakeSink } from '../../helpers/fake-sink.ts'
import { useFakeTime } from '../../helpers/fake-time.ts'

const KIB = 1_024
/** So many of the lines below are 60 KiB and a little more. */
const BATCH_LINES = 615
const line = (n: number, length = 100): string => `${String(n).padEnd(length - 1, '.')}\n`

const begin = ({ room, maxBytes = 10_000 }: { room?: number; maxBytes?: number } = {}) => {
  useFakeTime()
  const sink = fakeSink(room)
  const output = createOutput(sink, maxBytes)
  const lost: number[] = []
  output.onLost((lines) => void lost.push(lines))
  return { sink, output, lost, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) }
}

describe('an output', () => {
  it('collects lines for a second, and writes them at once', async () => {
    const { sink, output, pass } = begin()
    for (const n of [1, 2, 3]) output.write(line(n))
    await pass(999)
    expect(sink.text()).toBe('')
    await pass(1)
    expect(sink.text()).toBe(line(1) + line(2) + line(3))
    expect(sink.attempts()).toBe(1)
    await pass(10_000)
    expect(sink.attempts()).toBe(1)
  })

  it('does not wait with 60 KiB of lines, or when it is told to flush', async () => {
    const { sink, output, pass } = begin({ maxBytes: 80_000 })
    for (let n = 0; n < BATCH_LINES; n += 1) output.write(line(n))
    await pass(0)
    expect(sink.text()).toHaveLength(61_500)
    output.write(line(BATCH_LINES))
    output.flush()
    await pass(0)
    expect(sink.text()).toHaveLength(61_600)
  })

  // Regression: a batch had a line more than a pipe takes, which cost a second write after 5 ms.
  it('writes a batch in one piece to a pipe, which takes 64 KiB', async () => {
    const { sink, output, pass } = begin({ maxBytes: 80_000, room: 64 * KIB })
    for (let n = 0; n < 656; n += 1) output.write(line(n))
    await pass(0)
    expect([sink.attempts(), sink.text().length]).toEqual([1, 61_500])
  })

  // Regression: under load there was a write for each turn of the event loop, and each took a thread.
  describe('under load', () => {
    const beginWriting = (beforeIt: readonly string[]) => {
      const begun = begin({ maxBytes: 200_000 })
      const { sink, output } = begun
      const gate = Promise.withResolvers<void>()
      sink.gate = gate.promise
      for (const text of beforeIt) output.write(text)
      const batch = (): void => {
        for (let n = 0; n < BATCH_LINES; n += 1) output.write(line(n))
      }
      const written = () => [sink.attempts(), sink.text().length]
      return { ...begun, gate, batch, written }
    }

    it('lets lines that come while it writes wait for 60 KiB or a second of their own', async () => {
      const { output, gate, batch, written, pass } = beginWriting([])
      batch()
      output.write(line(1))
      gate.resolve()
      await pass(999)
      expect(written()).toEqual([1, 61_500])
      batch()
      await pass(0)
      expect(written()).toEqual([2, 123_000])
      await pass(1_000)
      expect(written()).toEqual([3, 123_100])
    })

    it('does so also after a flush, which is for the lines that wait then', async () => {
      const { output, gate, batch, written, pass } = beginWriting([line(0)])
      output.flush()
      batch()
      output.write(line(1))
      gate.resolve()
      await pass(999)
      expect(written()).toEqual([2, 61_600])
    })
  })

  it('keeps the order of lines that come while it writes', async () => {
    const { sink, output, pass } = begin()
    const gate = Promise.withResolvers<void>()
    sink.gate = gate.promise
    output.write(line(1))
    output.flush()
    output.write(line(2))
    output.flush()
    output.write(line(3))
    gate.resolve()
    await pass(0)
    expect(sink.text()).toBe(line(1) + line(2) + line(3))
  })

  it('writes the rest when only a part fitted', async () => {
    const { sink, output, pass } = begin({ room: 150 })
    for (const n of [1, 2, 3]) output.write(line(n))
    output.flush()
    await pass(0)
    expect(sink.text()).toHaveLength(150)
    sink.room = KIB
    await pass(5)
    expect(sink.text()).toBe(line(1) + line(2) + line(3))
  })

  it('tries a full pipe after 5 ms, less and less often, and again after 5 ms', async () => {
    const { sink, output, pass } = begin({ room: 0 })
    output.write(line(1))
    output.flush()
    await pass(5 + 10 + 20 + 40 + 80)
    expect(sink.attempts()).toBe(6)
    await pass(1_000)
    expect(sink.attempts()).toBe(16)
    sink.room = 50
    await pass(100)
    const before = sink.attempts()
    await pass(5)
    expect(sink.attempts()).toBe(before + 1)
  })

  it.each(['ENOSPC', 'EIO', 'EPIPE', 'EBADF'])(
    'tries once a second after %s, however many lines come',
    async (fault) => {
      const { sink, output, pass } = begin({ room: 0 })
      sink.fault = fault
      for (let n = 0; n < 1_000; n += 1) {
        output.write(line(n))
        output.flush()
        await pass(10)
      }
      expect(sink.attempts()).toBeLessThanOrEqual(11)
      expect(sink.attempts()).toBeGreaterThan(8)
    },
  )

  // Regression: with a reader that did not read, memory grew without a bound.
  it('holds no more than its bound, and tells how many lines are missing where they are', async () => {
    const { sink, output, lost, pass } = begin({ room: 0 })
    output.onLost((lines) => {
      lost.push(lines)
      output.write(`lost ${lines}\n`)
    })
    for (let n = 0; n < 250; n += 1) output.write(line(n))
    expect(lost).toEqual([])
    sink.room = 6_000
    await pass(10_000)
    output.write(line(250))
    expect(lost).toEqual([150])
    sink.room = Number.POSITIVE_INFINITY
    await pass(1_000)
    const lines = sink.text().trimEnd().split('\n')
    expect(lines).toHaveLength(102)
    expect(lines.slice(98).map((text) => text.replaceAll('.', ''))).toEqual([
      ...['98', '99', 'lost 150', '250'],
    ])
    expect(lost).toEqual([150])
  })

  it('counts its bound in bytes, not in letters', async () => {
    const { sink, output, pass } = begin({ room: 0, maxBytes: 100 })
    for (let n = 0; n < 10; n += 1) output.write(`${'é'.repeat(20)}\n`)
    sink.room = Number.POSITIVE_INFINITY
    await pass(1_000)
    expect(sink.text()).toBe(`${'é'.repeat(20)}\n`.repeat(2))
  })

  it('gives the next reader of a FIFO whole lines', async () => {
    const { sink, output, lost, pass } = begin({ room: 150 })
    for (const n of [1, 2, 3]) output.write(line(n))
    sink.fault = 'EPIPE'
    output.flush()
    await pass(0)
    sink.room = Number.POSITIVE_INFINITY
    await pass(1_000)
    expect(sink.text()).toBe(line(1) + line(2).slice(0, 50) + line(3))
    expect(lost).toEqual([1])
  })
})

describe('the end of an output', () => {
  it('writes what waits', async () => {
    const { sink, output } = begin()
    output.write(line(1))
    await output.end()
    expect(sink.text()).toBe(line(1))
  })

  it('also writes what comes during its last write', async () => {
    const { sink, output, pass } = begin()
    const gate = Promise.withResolvers<void>()
    sink.gate = gate.promise
    output.write(line(1))
    const ended = output.end()
    output.write(line(2))
    gate.resolve()
    await pass(5)
    await ended
    expect(sink.text()).toBe(line(1) + line(2))
  })

  it('waits for a reader that is slow', async () => {
    const { sink, output, pass } = begin({ room: 50 })
    for (const n of [1, 2, 3]) output.write(line(n))
    const ended = output.end()
    for (let n = 0; n < 10; n += 1) {
      await pass(20)
      sink.room = 50
    }
    await ended
    expect(sink.text()).toBe(line(1) + line(2) + line(3))
  })

  it.each([
    ['a reader that does not read', 'EAGAIN', 500],
    ['a full disk', 'ENOSPC', 0],
    ['a reader that left', 'EPIPE', 0],
  ])('waits for %s no longer than it has to', async (_, fault, ms) => {
    const { sink, output, pass } = begin({ room: 0 })
    sink.fault = fault
    output.write(line(1))
    let isOver = false
    const ended = output.end().then(() => {
      isOver = true
    })
    if (ms > 0) {
      await pass(ms - 10)
      expect(isOver).toBe(false)
    }
    await pass(10)
    await ended
  })

  it('does not wait for a write that hangs', async () => {
    const { sink, output, pass } = begin()
    sink.gate = new Promise(() => {})
    output.write(line(1))
    const ended = output.end()
    await pass(500)
    await ended
    output.flushNow()
    expect(sink.attempts()).toBe(0)
  })

  it('can be at once', () => {
    const { sink, output } = begin({ room: 150 })
    for (const n of [1, 2]) output.write(line(n))
    output.flushNow()
    output.flushNow()
    expect(sink.text()).toHaveLength(150)
  })
})
