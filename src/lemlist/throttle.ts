import type { Budget } from '../exports/ports.ts'
import type { RawAnswer } from './answers.ts'
import { retryAfterMs } from './retry-after.ts'

/**
 * After a 429 that names no time the key pauses for a random part (full jitter) of 2, 4, 8 … 60 s.
 */
const FIRST_BACK_OFF_MS = 2_000
const LONGEST_BACK_OFF_MS = 60_000
const JITTER_MS = 1_000

type Received = Pick<RawAnswer, 'status' | 'headers' | 'receivedAt'>

/**
 * Obeys what lemlist asks for with a 429 or 503: no call with the key leaves for that time, on any
 * replica.
 */
export const createThrottle = (budget: Budget, account: string) => {
  let throttlesInARow = 0

  /**
   * An error is ignored: if the budget does not learn of the pause, the next 429 asks for it again.
   */
  const pause = (ms: number): void => {
    budget.pause(account, ms).catch(() => {})
  }

  return ({ status, headers, receivedAt }: Received): void => {
    if (status !== 429 && status !== 503) {
      throttlesInARow = 0
      return
    }
    const asked = retryAfterMs(headers, receivedAt)
    if (asked !== undefined) pause(asked + Math.random() * JITTER_MS)
    else if (status === 429) {
      const longest = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** throttlesInARow)
      pause(longest * Math.random())
    }
    throttlesInARow += 1
  }
}
