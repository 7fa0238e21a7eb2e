import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

export interface Load {
  /** How late the event loop was on average since the last sample, milliseconds. */
  readonly delayMs: number
  /** The part of the time since then in which the event loop had work, 0 to 1. */
  readonly utilization: number
  /** The used part of the memory that the process may have, 0 to 1. */
  readonly memory: number
}

export interface LoadSource {
  sample(): Load
  close(): void
}

/** How often the histogram looks at the clock, milliseconds. */
const RESOLUTION_MS = 10
/** Ten seconds of samples. */
const STILL_SAMPLES = 20
/** Memory that rises by a smaller part of the limit does not grow: the heap breathes. */
const MARGIN = 0.01

/** The load of this process: its event loop, its heap, and the memory of its container. */
export const processLoad = (): LoadSource => {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const inContainer = containerMemory()
  let before = performance.eventLoopUtilization()
  return {
    sample: () => {
      const mean = delays.count === 0 ? 0 : delays.mean / 1e6 - RESOLUTION_MS
      delays.reset()
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      const heap = getHeapStatistics()
      const inHeap = heap.used_heap_size / heap.heap_size_limit
      const free = heap.total_heap_size - heap.used_heap_size
      return {
        delayMs: Math.max(0, mean),
        utilization,
        memory: Math.max(inHeap, inContainer(free)),
      }
    },
    close: () => delays.disable(),
  }
}

/**
 * The used part of the memory of the container while it grows, else 0. The C library gives little of
 * what was freed back to the system, and uses it again first: 500 MB stayed resident after 13 000
 * connections had left. So a high value that does not rise is no reason to turn anybody away.
 */
const containerMemory = (): ((freeHeapBytes: number) => number) => {
  const limit = process.constrainedMemory()
  /** Node gives 0 where it knows of no limit, and a huge number where the container has none. */
  if (limit === 0 || limit >= Number.MAX_SAFE_INTEGER) return () => 0
  let resident = 0
  let highest = 0
  let still = 0
  return (freeHeapBytes) => {
    try {
      resident = process.memoryUsage.rss()
    } catch {
      // Node reads it from a file, which fails while no file descriptor is left.
    }
    const part = (resident - freeHeapBytes) / limit
    still = part > highest + MARGIN ? 0 : still + 1
    if (still === 0 || still >= STILL_SAMPLES) highest = part
    return still >= STILL_SAMPLES ? 0 : part
  }
}
