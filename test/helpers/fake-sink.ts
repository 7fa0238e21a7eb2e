import type { Sink } from '../../src/telemetry/descriptor.ts'

export interface FakeSink extends Sink {
  /** Everything that was written. */
  readonly text: () => string
  /** How often somebody tried to write. */
  readonly attempts: () => number
  /** How many bytes fit now. */
  room: number
  /** What a write throws that meets no room. */
  fault: string
  /** Resolves when the next write may begin. By default at once. */
  gate: Promise<void>
}

/** What standard output is to the process, with a bound and faults that a test chooses. */
export const fakeSink = (room = Number.POSITIVE_INFINITY): FakeSink => {
  let text = ''
  let attempts = 0
  const writeNow = (chunk: Buffer): number => {
    attempts += 1
    const bytes = Math.min(chunk.length, sink.room)
    if (bytes === 0) throw Object.assign(new Error(sink.fault), { code: sink.fault })
    sink.room -= bytes
    text += chunk.subarray(0, bytes).toString()
    return bytes
  }
  const sink: FakeSink = {
    write: async (chunk) => {
      await sink.gate
      return writeNow(chunk)
    },
    writeNow,
    text: () => text,
    attempts: () => attempts,
    room,
    fault: 'EAGAIN',
    gate: Promise.resolve(),
  }
  return sink
}
