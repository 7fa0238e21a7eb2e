/** The pause between two slices of one sweep. It gives other work time on the event loop. */
const SLICE_PAUSE_MS = 50

/**
 * Calls `slice` every `intervalMs`, and again soon while `slice` returns that more is left. The
 * timer does not keep the process alive.
 *
 * @param slice does a bounded piece of work; must not throw
 * @returns a function that stops the sweep
 */
export const startSweep = (slice: () => boolean, intervalMs: number): (() => void) => {
  let timer: NodeJS.Timeout
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => schedule(slice() ? SLICE_PAUSE_MS : intervalMs), delayMs).unref()
  }
  schedule(intervalMs)
  return () => clearTimeout(timer)
}
