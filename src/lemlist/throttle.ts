import type { Budget } from '../exports/ports.ts'
import type { RawAnswer } from './answers.ts'
import { retryAfterMs } from './retry-after.ts'

/** Waits after a 429 that names no time: 2, 4, 8 … 60 s, with full jitter. */
const FIRST_BACK_OFF_MS = 2_000
const LONGEST_BACK_OFF_MS = 60_000
const JITTER_MS = 1_000

/** Obeys what lemlist asks for on a 429 or 503: the whole key pauses, on every replica. */
export const createThrottle = (budget: Budget, account: string) => {
  let throttlesInARow = 0

  /** A budget that cannot be told loses nothing: the next 429 says it again. */
  const pause = (ms: number): void => {
    budget.pause(account, ms).catch(() => {})
  }

  return ({ status, headers, receivedAt }: Omit<RawAnswer, 'body' | 'cut'>): void => {
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
