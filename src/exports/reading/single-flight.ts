/** Concurrent work for one key becomes one piece of work (RFC 9211: collapsed). */
export interface SingleFlight<Work> {
  /** Returns the work that is under way for the key, if any. */
  current(key: string): Work | undefined
  /** Starts work for a key that has none under way. The work is over when `settled` settles. */
  start(key: string, begin: () => { work: Work; settled: Promise<unknown> }): Work
  /** How many keys have work under way. */
  size(): number
}

/** The waiting line bounds the map: every piece of work has a place in line or a call under way. */
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
