/** Whose a stream is. */
export interface Holder {
  /** `Caller.id`. Undefined when callers are not told apart. */
  readonly caller: string | undefined
  readonly account: string
}

/** Counts the streams of each caller. */
export interface CallerCounts {
  hasRoomFor(caller: string | undefined): boolean
  change(caller: string | undefined, change: 1 | -1): void
}

export const createCallerCounts = (maxPerCaller: number): CallerCounts => {
  const counts = new Map<string, number>()
  return {
    hasRoomFor: (caller) => caller === undefined || (counts.get(caller) ?? 0) < maxPerCaller,
    change: (caller, change) => {
      if (caller === undefined) return
      const left = (counts.get(caller) ?? 0) + change
      if (left === 0) counts.delete(caller)
      else counts.set(caller, left)
    },
  }
}
