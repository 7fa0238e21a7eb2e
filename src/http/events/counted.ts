import type { Frames } from './frames.ts'

/** What is counted of streams. */
export interface StreamMeter {
  event(event: 'status' | 'problem' | 'gone' | 'end'): void
  cut(reason: string): void
}

/** Frames that count each event that they encode. Without a meter they are the same frames. */
export const counted = (frames: Frames, meter: StreamMeter | undefined): Frames => {
  if (meter === undefined) return frames
  return {
    part: frames.part,
    stateId: frames.stateId,
    status: (...given) => {
      meter.event('status')
      return frames.status(...given)
    },
    word: (word, ...rest) => {
      meter.event(word.kind === 'gone' ? 'gone' : 'problem')
      return frames.word(word, ...rest)
    },
    end: (topics) => {
      meter.event('end')
      return frames.end(topics)
    },
  }
}
