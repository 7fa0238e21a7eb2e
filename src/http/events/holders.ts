/** Whose a stream is. */
export interface Holder {
  /** `Caller.id`. Undefined when callers are not told apart. */
  readonly caller: string | undefined
  readonly account: string
}

/** Counts the streams of each caller, and finds those of an account. */
export interface Holders<Stream> {
  hasRoomFor(caller: string | undefined): boolean
  add(stream: Stream, holder: Holder): void
  remove(stream: Stream): void
  ofAccount(account: string): readonly Stream[]
}

export const createHolders = <Stream>(maxPerCaller: number): Holders<Stream> => {
  const holders = new Map<Stream, Holder>()
  const counts = new Map<string, number>()
  const count = (caller: string | undefined, change: 1 | -1): void => {
    if (caller === undefined) return
    const left = (counts.get(caller) ?? 0) + change
    if (left === 0) counts.delete(caller)
    else counts.set(caller, left)
  }
  return {
    hasRoomFor: (caller) => caller === undefined || (counts.get(caller) ?? 0) < maxPerCaller,
    add: (stream, holder) => {
      holders.set(stream, holder)
      count(holder.caller, 1)
    },
    remove: (stream) => {
      const holder = holders.get(stream)
      if (holders.delete(stream)) count(holder?.caller, -1)
    },
    ofAccount: (account) =>
      [...holders].flatMap(([stream, holder]) => (holder.account === account ? [stream] : [])),
  }
}
