import TinyQueue from 'tinyqueue'

/** Keys in the order of their due times. Each key occurs once. */
export interface DueQueue {
  /**
   * Puts a key in, or moves it. Keys with the same due time keep the order in which they were put.
   */
  put(key: string, dueAt: number): void
  remove(key: string): void
  first(): { readonly key: string; readonly dueAt: number } | undefined
  size(): number
}

interface Entry {
  readonly key: string
  readonly dueAt: number
  readonly number: number
}

/** The heap may hold so many more outdated entries than keys before the queue builds it anew. */
const SPARE = 64

/**
 * Creates a queue on a heap. A key that is moved or removed leaves its old entry in the heap. The
 * queue drops such an entry when it comes to the top. When most entries are outdated, the queue
 * builds the heap anew without them. Every operation takes logarithmic time on average.
 */
export const createDueQueue = (): DueQueue => {
  const current = new Map<string, Entry>()
  let heap = new TinyQueue<Entry>([], earlier)
  let count = 0

  const rebuild = (): void => {
    if (heap.length <= 2 * current.size + SPARE) return
    heap = new TinyQueue([...current.values()], earlier)
  }

  return {
    put: (key, dueAt) => {
      if (current.get(key)?.dueAt === dueAt) return
      count += 1
      const entry = { key, dueAt, number: count }
      current.set(key, entry)
      heap.push(entry)
      rebuild()
    },
    remove: (key) => {
      if (current.delete(key)) rebuild()
    },
    first: () => {
      for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
        if (current.get(entry.key) === entry) return entry
        heap.pop()
      }
      return undefined
    },
    size: () => current.size,
  }
}

const earlier = (one: Entry, other: Entry): number =>
  one.dueAt - other.dueAt || one.number - other.number
