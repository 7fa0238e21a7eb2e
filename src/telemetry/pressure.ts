import { type Load, type LoadSource, processLoad } from './process-load.ts'

/**
 * Says whether the process has more to do than it can, and what it turns away then. New streams go
 * first, because their clients come back by themselves. Reads that would make a call to lemlist go
 * next. What is answered from memory is never turned away: it costs less than most refusals.
 */

/** `busy` sheds new streams, `overloaded` also reads that are not cached. */
export type PressureLevel = 'calm' | 'busy' | 'overloaded'

export type Shed = 'stream' | 'read'

export interface Pressure {
  readonly level: PressureLevel
  /** Whether one more of this kind is turned away now. */
  sheds(kind: Shed): boolean
  /** Ends the sampling. */
  close(): void
}

interface PressureOptions {
  /** Reads the load since the last call. Default: that of this process. */
  readonly load?: LoadSource
  readonly onChange: (level: PressureLevel, load: Load) => void
}

export const SAMPLE_MS = 500
/** So many samples in a row raise the level by one step, so that a single long stall does not. */
const TO_RAISE = 4
/** So many quiet samples in a row lower it by one step: from `overloaded` to `calm` takes 3 s. */
const TO_LOWER = 3
/**
 * Each level begins at the first value and is held down to the second, so that it does not flap. A
 * cached read waits a few times the mean delay, and its p99 must stay under 250 ms. V8 collects
 * ever more often from 85 % of its heap on, and a container that reaches its limit is killed.
 */
const BUSY = { delayMs: [50, 25], memory: [0.85, 0.8] } as const
const OVERLOADED = { delayMs: [100, 50], memory: [0.95, 0.9] } as const
/**
 * A core that has work all the time, and is not late, still lets new connections wait in the kernel
 * for a second or two: node accepts one of them in each turn of the loop. The 20 000 clients of a
 * replica that stopped come back within 8 s, and are let in.
 */
const FULL = 0.95
const NO_LONGER_FULL = 0.85
const FULL_SAMPLES = 20
/** A sample with a pause takes so many full ones back: a full core has a pause now and then. */
const PAUSE = 4

const LEVELS = ['calm', 'busy', 'overloaded'] as const

const reaches = ({ delayMs, memory }: Load, bounds: typeof BUSY | typeof OVERLOADED, held: 0 | 1) =>
  delayMs >= bounds.delayMs[held] || memory >= bounds.memory[held]

/** The level that the load alone asks for, with the lower bounds for a level that is held. */
const wanted = (load: Load, current: number, fullSamples: number): number => {
  if (fullSamples >= FULL_SAMPLES) return 2
  if (current > 0 && load.utilization >= NO_LONGER_FULL) return current
  if (reaches(load, OVERLOADED, current >= 2 ? 1 : 0)) return 2
  return reaches(load, BUSY, current >= 1 ? 1 : 0) ? 1 : 0
}

/** Samples the load twice a second. A reader of the level reads one field. */
export const createPressure = (options: PressureOptions): Pressure => {
  const { load: source = processLoad(), onChange } = options
  let current = 0
  let above = 0
  let below = 0
  /** In so many samples the core was full, less those that a pause took back. */
  let full = 0

  const step = (to: number, load: Load): void => {
    current = to
    above = 0
    below = 0
    onChange(LEVELS[current] ?? 'calm', load)
  }

  const sample = (): void => {
    const load = source.sample()
    full = load.utilization >= FULL ? Math.min(full + 1, FULL_SAMPLES) : Math.max(0, full - PAUSE)
    const level = wanted(load, current, full)
    above = level > current ? above + 1 : 0
    below = level < current ? below + 1 : 0
    if (above >= TO_RAISE) step(current + 1, load)
    else if (below >= TO_LOWER) step(current - 1, load)
  }

  const timer = setInterval(sample, SAMPLE_MS)
  timer.unref()
  return {
    get level() {
      return LEVELS[current] ?? 'calm'
    },
    sheds: (kind) => current >= (kind === 'stream' ? 1 : 2),
    close: () => {
      clearInterval(timer)
      source.close()
    },
  }
}
