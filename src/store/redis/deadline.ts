/** The part of a deadline in which an answer is read that came while the process was busy. */
const LAST_PART = 0.1

/**
 * Calls `late` after `ms`, unless the returned function was called before. After a time in which the
 * process was busy, or stopped, Node fires the timers first and reads what has come only then. A
 * second timer leaves it the time to read.
 */
export const afterDeadline = (ms: number, late: () => void): (() => void) => {
  let timer = setTimeout(
    () => {
      timer = setTimeout(late, ms * LAST_PART)
    },
    ms * (1 - LAST_PART),
  )
  return () => clearTimeout(timer)
}
