import TinyQueue from 'tinyqueue'

/** When an export is due, and when it was looked at last. Both are epoch milliseconds. */
interface Times {
  readonly dueAt: number
  readonly lookedAt: number
}

/** The keys of a class of exports. Each key occurs once. */
export interface DueQueue {
  /** Puts a key in, or moves it. Keys with the same times keep the order in which they were put. */
  put(key: string, times: Times): void
  remove(key: string): void
  /** Returns that of the due keys which was looked at longest ago. */
  firstDue(now: number): string | undefined
  /** Returns the earliest due time of the keys that `firstDue` has not seen due yet. */
  nextDueAt(): number | undefined
  size(): number
}

interface Entry extends Times {
  readonly key: string
  readonly number: number
  /** Whether `firstDue` has seen the key due, so that the second heap has it. */
  readonly isDue: boolean
}

/** The heaps may hold so many more outdated entries than keys before the queue builds them anew. */
const SPARE = 64
/** `firstDue` moves at most so many keys, which takes about a millisecond. The next call goes on. */
const MOST_MOVED = 1_000

/**
 * Creates a queue of two heaps. A key waits in the first one until it is due. The second one has the
 * due keys. A key that is moved or removed leaves its old entry in its heap. The queue drops such an
 * entry when it comes to the top. When most entries are outdated, the queue builds the heaps anew
 * without them. Every operation takes logarithmic time on average.
 */
export const createDueQueue = (): DueQueue => {
  const current = new Map<string, Entry>()
  let waiting = new TinyQueue<Entry>([], byDueAt)
  let due = new TinyQueue<Entry>([], byLookedAt)
  let count = 0

  const rebuild = (): void => {
    if (waiting.length + due.length <= 2 * current.size + SPARE) return
    const entries = [...current.values()]
    waiting = new TinyQueue(
      entries.filter(({ isDue }) => !isDue),
      byDueAt,
    )
    due = new TinyQueue(
      entries.filter(({ isDue }) => isDue),
      byLookedAt,
    )
  }

  const topOf = (heap: TinyQueue<Entry>): Entry | undefined => {
    for (let entry = heap.peek(); entry !== undefined; entry = heap.peek()) {
      if (current.get(entry.key) === entry) return entry
      heap.pop()
    }
    return undefined
  }

  return {
    put: (key, { dueAt, lookedAt }) => {
      const kept = current.get(key)
      if (kept?.dueAt === dueAt && kept.lookedAt === lookedAt) return
      count += 1
      const entry = { key, dueAt, lookedAt, number: count, isDue: false }
      current.set(key, entry)
      waiting.push(entry)
      rebuild()
    },
    remove: (key) => {
      if (current.delete(key)) rebuild()
    },
    firstDue: (now) => {
      for (let moved = 0; moved < MOST_MOVED; moved += 1) {
        const next = topOf(waiting)
        if (next === undefined || next.dueAt > now) break
        waiting.pop()
        // A look in the future was before the clock was set back. It would come last for hours.
        const entry = { ...next, lookedAt: Math.min(next.lookedAt, now), isDue: true }
        current.set(entry.key, entry)
        due.push(entry)
      }
      return topOf(due)?.key
    },
    nextDueAt: () => topOf(waiting)?.dueAt,
    size: () => current.size,
  }
}

const byDueAt = (one: Entry, other: Entry): number =>
  one.dueAt - other.dueAt || one.number - other.number

const byLookedAt = (one: Entry, other: Entry): number =>
  one.lookedAt - other.lookedAt || one.number - other.number
