/** The one timer of the schedule: it rings when the next export is due. */
export interface Alarm {
  /** An export is due at that time, epoch milliseconds. The alarm rings by then at the latest. */
  set(dueAt: number): void
  /** Forgets the times that were set: the schedule is about to be asked for all of them. */
  clear(): void
  /** Resolves at the earliest time that was set, and after `ms` milliseconds at the latest. */
  rest(ms: number): Promise<void>
}

/**
 * A time that is set while nobody rests is kept, and makes the next rest short: nothing that becomes
 * due while the schedule is being asked is missed.
 */
export const createAlarm = (now: () => number = Date.now): Alarm => {
  let earliest = Number.POSITIVE_INFINITY
  let ring: () => void = () => {}
  return {
    set: (dueAt) => {
      if (dueAt >= earliest) return
      earliest = dueAt
      ring()
    },
    clear: () => {
      earliest = Number.POSITIVE_INFINITY
    },
    rest: async (ms) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      ring = resolve
      earliest = Math.min(earliest, now() + ms)
      const timer = setTimeout(resolve, Math.max(1, Math.ceil(earliest - now())))
      await promise
      clearTimeout(timer)
    },
  }
}
