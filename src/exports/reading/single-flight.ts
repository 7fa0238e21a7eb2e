/** Concurrent work for one key becomes one piece of work (RFC 9211: collapsed). */
export interface SingleFlight<Work> {
  /** What is under way for the key, if anything. */
  current(key: string): Work | undefined
  /** Starts work for a key that has none under way; it is forgotten when `settled` resolves. */
  start(key: string, begin: () => { work: Work; settled: Promise<unknown> }): Work
  /** How many keys have work under way. */
  size(): number
}

/** Bounded by the waiting line: every piece of work here holds a place there or a call of its own. */
export const createSingleFlight = <Work>(): SingleFlight<Work> => {
  const flights = new Map<string, Work>()
  return {
    current: (key) => flights.get(key),
    start: (key, begin) => {
      const { work, settled } = begin()
      flights.set(key, work)
      const land = () => {
        if (flights.get(key) === work) flights.delete(key)
      }
      settled.then(land, land)
      return work
    },
    size: () => flights.size,
  }
}
