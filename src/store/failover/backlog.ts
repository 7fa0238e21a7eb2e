import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'

export interface BacklogOptions {
  readonly name: string
  readonly bounds?: Bounds | undefined
  readonly maxKeys?: number
}

/** The keys of all data that is not in Redis yet. */
export interface Backlog {
  add(key: string): void
  isEmpty(): boolean
  /** Resolves when nothing is left. Rejects at the first failure, and then no key is lost. */
  flush(): Promise<void>
}

/**
 * As many exports as a schedule holds. Redis may be away for days, and everything that changes
 * meanwhile comes here.
 */
const MAX_KEYS = 65_000

/** How many keys are put at the same time. */
const SLICE = 200

/**
 * Holds each key once, however often it is added. `put` finds the current value of each key. Of more
 * than `maxKeys` keys the oldest are forgotten, and the gateway asks lemlist again for what Redis
 * does not know then.
 *
 * @param name tells the backlogs apart for whoever measures how full they are
 */
export const createBacklog = (
  put: (keys: readonly string[]) => Promise<unknown>,
  { name, bounds = UNMEASURED, maxKeys = MAX_KEYS }: BacklogOptions,
): Backlog => {
  const waiting = new Set<string>()
  bounds(name, () => waiting.size / maxKeys)
  const add = (key: string): void => {
    waiting.add(key)
    if (waiting.size <= maxKeys) return
    const [oldest = key] = waiting
    waiting.delete(oldest)
  }
  return {
    add,
    isEmpty: () => waiting.size === 0,
    flush: async () => {
      while (waiting.size > 0) {
        const keys = [...waiting].slice(0, SLICE)
        // The keys are removed first. A key that changes during the put is added, and put, again.
        for (const key of keys) waiting.delete(key)
        try {
          await put(keys)
        } catch (error) {
          for (const key of keys) add(key)
          throw error
        }
      }
    },
  }
}
