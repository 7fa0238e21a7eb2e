import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

/**
 * Says whether the process has more to do than it can, and what it turns away then. New streams go
 * first, because their clients come back by themselves. Reads that would make a call to lemlist go
 * next. What is answered from memory is never turned away: it costs less than most refusals.
 */

/** `busy` sheds new streams, `overloaded` also reads that are not cached. */
export type PressureLevel = 'calm' | 'busy' | 'overloaded'

export type Shed = 'stream' | 'read'

export interface Load {
  /** How late the event loop was on average since the last sample, milliseconds. */
  readonly delayMs: number
  /** The used part of the memory that the process may have, 0 to 1. */
  readonly memory: number
}

export interface Pressure {
  readonly level: PressureLevel
  /** Whether one more of this kind is turned away now. Each `true` is counted. */
  sheds(kind: Shed): boolean
  /** Ends the sampling. */
  close(): void
}

interface PressureOptions {
  /** Reads the load since the last call. Default: that of this process. */
  readonly load?: LoadSource
  readonly onChange: (level: PressureLevel, load: Load) => void
  readonly countShed?: ((kind: Shed) => void) | undefined
}

export interface LoadSource {
  sample(): Load
  close(): void
}

export const SAMPLE_MS = 500
/**
 * So many samples in a row raise the level by one step. 10 000 clients that reconnect keep a core
 * busy for 1 to 2 s, and that is no overload.
 */
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

const LEVELS = ['calm', 'busy', 'overloaded'] as const

const reaches = ({ delayMs, memory }: Load, bounds: typeof BUSY | typeof OVERLOADED, held: 0 | 1) =>
  delayMs >= bounds.delayMs[held] || memory >= bounds.memory[held]

/** The level that the load alone asks for, with the lower bounds for a level that is held. */
const wanted = (load: Load, current: number): number => {
  if (reaches(load, OVERLOADED, current >= 2 ? 1 : 0)) return 2
  return reaches(load, BUSY, current >= 1 ? 1 : 0) ? 1 : 0
}

/** Samples the load twice a second. A reader of the level reads one field. */
export const createPressure = (options: PressureOptions): Pressure => {
  const { load: source = processLoad(), onChange, countShed } = options
  let current = 0
  let above = 0
  let below = 0

  const step = (to: number, load: Load): void => {
    current = to
    above = 0
    below = 0
    onChange(LEVELS[current] ?? 'calm', load)
  }

  const sample = (): void => {
    const load = source.sample()
    const level = wanted(load, current)
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
    sheds: (kind) => {
      if (current < (kind === 'stream' ? 1 : 2)) return false
      countShed?.(kind)
      return true
    },
    close: () => {
      clearInterval(timer)
      source.close()
    },
  }
}

/** The load of this process: its event loop, its heap, and the memory of its container. */
const processLoad = (): LoadSource => {
  const resolution = 10
  const delays = monitorEventLoopDelay({ resolution })
  delays.enable()
  const limit = process.constrainedMemory()
  /** Node gives 0 where it knows of no limit, and a huge number where the container has none. */
  const isLimited = limit > 0 && limit < Number.MAX_SAFE_INTEGER
  return {
    sample: () => {
      const mean = delays.count === 0 ? 0 : delays.mean / 1e6 - resolution
      delays.reset()
      const heap = getHeapStatistics()
      const ofHeap = heap.used_heap_size / heap.heap_size_limit
      const ofContainer = isLimited ? process.memoryUsage.rss() / limit : 0
      return { delayMs: Math.max(0, mean), memory: Math.max(ofHeap, ofContainer) }
    },
    close: () => delays.disable(),
  }
}
