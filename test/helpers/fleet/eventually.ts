import { setTimeout as delay } from 'node:timers/promises'

const LOOK_MS = 20

/** Looks until there is a value and resolves to it. Rejects when there is none in time. */
export const eventually = async <T>(
  what: string,
  look: () => T | undefined | false,
  withinMs = 15_000,
): Promise<T> => {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await delay(LOOK_MS)
  }
}

/** Resolves when the work is done or the time is over, whichever comes first. */
export const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
  const over = new AbortController()
  const late = delay(ms, undefined, { signal: over.signal }).catch(() => {})
  await Promise.race([work, late])
  over.abort()
}
