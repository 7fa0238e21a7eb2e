/** The keys of all data that is not in Redis yet. */
export interface Backlog {
  add(key: string): void
  isEmpty(): boolean
  /** Resolves when nothing is left. Rejects at the first failure, and then no key is lost. */
  flush(): Promise<void>
}

/** How many keys are put at the same time. */
const SLICE = 200

/** Holds each key once, however often it is added. `put` finds the current value of each key. */
export const createBacklog = (put: (keys: readonly string[]) => Promise<unknown>): Backlog => {
  const waiting = new Set<string>()
  return {
    add: (key) => void waiting.add(key),
    isEmpty: () => waiting.size === 0,
    flush: async () => {
      while (waiting.size > 0) {
        const keys = [...waiting].slice(0, SLICE)
        // The keys are removed first. A key that changes during the put is added, and put, again.
        for (const key of keys) waiting.delete(key)
        try {
          await put(keys)
        } catch (error) {
          for (const key of keys) waiting.add(key)
          throw error
        }
      }
    },
  }
}
