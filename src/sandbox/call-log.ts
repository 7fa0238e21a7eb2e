import type { Request } from './requests.ts'

/** One request as it arrived, for tests. */
export interface Call extends Request {
  /** When it arrived, monotonic milliseconds (`performance.now()`). */
  readonly at: number
  /** The `Authorization` header as received, with the key. */
  readonly authorization: string | undefined
  /**
   * The HTTP status of the answer. 0 until it is sent, and 0 for raw, reset and hanging answers.
   */
  status: number
  /** The number of its TCP connection, counted from 1. Equal numbers mean a reused socket. */
  readonly connection: number
}

export type CallFilter = (call: Call) => boolean

export interface CallLog {
  readonly calls: readonly Call[]
  record(call: Call): void
  clear(): void
  /** Resolves when `count` calls that pass the filter are in the log. Earlier calls count, too. */
  waitFor(count: number, filter: CallFilter): Promise<void>
}

/** @param capacity how many calls the log keeps; when it is full, it drops the oldest tenth */
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
