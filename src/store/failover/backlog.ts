/** Keys of what Redis is still to be told. */
export interface Backlog {
  add(key: string): void
  isEmpty(): boolean
  /** Resolves once nothing is left; rejects at the first failure, and then nothing is lost. */
  flush(): Promise<void>
}

/** So many are under way at once. */
const SLICE = 200

/** Each key once, however often it is added; the values are whoever's who puts them. */
export const createBacklog = (put: (keys: readonly string[]) => Promise<unknown>): Backlog => {
  const waiting = new Set<string>()
  return {
    add: (key) => void waiting.add(key),
    isEmpty: () => waiting.size === 0,
    flush: async () => {
      while (waiting.size > 0) {
        const keys = [...waiting].slice(0, SLICE)
        // Taken out first: what changes while it is put is put again.
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
