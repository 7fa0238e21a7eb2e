import { setImmediate } from 'node:timers'

/** Cuts up work that is too long for one turn of the event loop. */

/** How many exports one slice has. That is some milliseconds of work, or one script of Redis. */
export const SLICE = 200

/** The functions that continue the callers of `nextTurn`, in the order in which these came. */
const waiting: (() => void)[] = []

const pass = (): void => {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(pass)
}

/**
 * Resolves in a later turn of the event loop, for each caller in another turn. `setImmediate` alone
 * would continue all callers in the same turn. Then a hundred streams that open at once would stop
 * the process for a long time.
 */
export const nextTurn = (): Promise<void> =>
  new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(pass)
  })

/**
 * Does the work slice by slice. Before each further slice it waits for a turn of the event loop, so
 * that other work need not wait for the end of this work.
 */
export const inSlices = async <T>(
  items: readonly T[],
  work: (slice: readonly T[]) => Promise<void>,
  size = SLICE,
): Promise<void> => {
  for (let from = 0; from < items.length; from += size) {
    if (from > 0) await nextTurn()
    await work(items.slice(from, from + size))
  }
}
