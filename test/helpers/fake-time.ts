import { performance } from 'node:perf_hooks'
import { onTestFinished, vi } from 'vitest'

/** Until the test ends, timers, wall clock and monotonic clock move only when the test says so. */
export const useFakeTime = (): void => {
  vi.useFakeTimers()
  const began = Date.now()
  // Fake timers replace the global `performance`. Modules that import it hold the real object.
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => Date.now() - began)
  onTestFinished(() => {
    clock.mockRestore()
    vi.useRealTimers()
  })
}
