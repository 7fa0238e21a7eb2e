import type { Request } from './requests.ts'

/** One request as it arrived, for tests to look at. */
export interface Call extends Request {
  /** When it arrived, `performance.now()` milliseconds. */
  readonly at: number
  /** As received, the key included. */
  readonly authorization: string | undefined
  /** The status that was answered; 0 until then, and for raw, reset and hanging answers. */
  status: number
  /** Number of the TCP connection it came on, counted from 1: equal numbers = a reused socket. */
  readonly connection: number
}

export type CallFilter = (call: Call) => boolean

export interface CallLog {
  readonly calls: readonly Call[]
  record(call: Call): void
  clear(): void
  /** Resolves when `count` calls that pass the filter are logged, those already there included. */
  waitFor(count: number, filter: CallFilter): Promise<void>
}

/** @param capacity calls kept; the oldest tenth is dropped when there are more */
export const createCallLog = (capacity: number): CallLog => {
  const calls: Call[] = []
  const waiting = new Set<(call: Call) => void>()
  return {
    calls,
    record(call) {
      if (calls.length >= capacity) calls.splice(0, Math.ceil(capacity / 10))
      calls.push(call)
      for (const tell of waiting) tell(call)
    },
    clear() {
      calls.length = 0
    },
    waitFor(count, filter) {
      let missing = count - calls.filter(filter).length
      if (missing <= 0) return Promise.resolve()
      return new Promise((resolve) => {
        const tell = (call: Call) => {
          if (filter(call)) missing -= 1
          if (missing > 0) return
          waiting.delete(tell)
          resolve()
        }
        waiting.add(tell)
      })
    },
  }
}
