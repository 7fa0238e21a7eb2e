import { performance } from 'node:perf_hooks'
import { onTestFinished, vi } from 'vitest'

/** Timers, the wall clock and the monotonic clock move only when the test says so, until it ends. */
export const useFakeTime = (): void => {
  vi.useFakeTimers()
  const began = Date.now()
  // Fake timers replace the global object; whoever imports `performance` holds the real one.
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => Date.now() - began)
  onTestFinished(() => {
    clock.mockRestore()
    vi.useRealTimers()
  })
}
