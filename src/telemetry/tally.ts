/**
 * Counts events by a word in plain numbers. The library is told the sums when somebody asks for the
 * metrics, because its counters look for their labels at each call.
 */
export interface Tally {
  add(word: string): void
  /** Tells what was counted since the last call. */
  tell(): void
}

/** @param inc adds a number to the counter of a word */
export const createTally = (inc: (word: string, by: number) => void): Tally => {
  const counts = new Map<string, number>()
  return {
    add: (word) => {
      counts.set(word, (counts.get(word) ?? 0) + 1)
    },
    tell: () => {
      for (const [word, count] of counts) inc(word, count)
      counts.clear()
    },
  }
}
