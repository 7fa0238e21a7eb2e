/** The only timer of the schedule. It rings when the next export is due. */
export interface Alarm {
  /** Says that an export is due at `dueAt`, epoch ms. The alarm rings by then at the latest. */
  set(dueAt: number): void
  /** Forgets the times that were set. The tracker then asks the schedule for all of them. */
  clear(): void
  /** Resolves at the earliest time that was set, and after `ms` milliseconds at the latest. */
  rest(ms: number): Promise<void>
}

/**
 * The alarm keeps a time that is set while nobody rests, and makes the next rest shorter. So the
 * tracker misses no export that becomes due while it asks the schedule.
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
