/**
 * How far the clock of Redis is ahead of this process's, milliseconds. Each measurement is too long by
 * the way to Redis, which takes another time at each call. A time that is written with one measurement
 * and read with another one would change by itself, and with it the bytes of a list. So one value
 * stays in use while the measurements agree with it. It is 0 where the clocks agree, so that all replicas
 * with such clocks show the same times.
 */
export interface ClockShift {
  /** Notes what a script has measured. */
  measured(ms: number): void
  /** Undefined before the first measurement. */
  value(): number | undefined
}

/** Measurements that differ by less agree with each other. */
const AGREES_MS = 50
/** A measurement that is longer may have met a busy Redis. So many of them in a row have not. */
const SURE = 10
/**
 * No call takes so long, so a measurement that is longer by so much tells that a clock was set.
 * rows.lua has the same bound.
 */
const CLOCK_WAS_SET_MS = 5_000

export const createClockShift = (): ClockShift => {
  let inUse: number | undefined
  let longer: number[] = []

  const use = (ms: number): void => {
    inUse = ms
    longer = []
  }

  return {
    measured: (ms) => {
      const excess = inUse === undefined ? Number.POSITIVE_INFINITY : ms - inUse
      if (excess >= CLOCK_WAS_SET_MS || excess <= -AGREES_MS) return use(ms)
      longer = excess >= AGREES_MS ? [...longer, ms] : []
      if (longer.length >= SURE) use(Math.min(...longer))
    },
    value: () => (inUse !== undefined && Math.abs(inUse) < AGREES_MS ? 0 : inUse),
  }
}
