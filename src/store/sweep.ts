/** Between two slices of one sweep: long enough for whoever waits for the event loop. */
const SLICE_PAUSE_MS = 50

/**
 * Calls `slice` every `intervalMs`, and again soon while it answers that more is left. Keeps no
 * process alive.
 *
 * @param slice a bounded piece of work; must not throw
 * @returns stops it
 */
export const startSweep = (slice: () => boolean, intervalMs: number): (() => void) => {
  let timer: NodeJS.Timeout
  const schedule = (delayMs: number): void => {
    timer = setTimeout(() => schedule(slice() ? SLICE_PAUSE_MS : intervalMs), delayMs).unref()
  }
  schedule(intervalMs)
  return () => clearTimeout(timer)
}
