import { Problem } from '../../problems.ts'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import { type ExportRef, keyOf } from '../export.ts'
import type { Allowances } from './allowances.ts'

/** Stands before the looks that callers cause at ids which nobody has seen before. */
export interface Gate {
  /**
   * Returns undefined when the caller may cause a look at the export now. Otherwise resolves when
   * he may. Reads of one caller that wait for the same export share a place.
   *
   * @throws Problem `budget-exhausted`, at once, when that would take longer than `patienceMs`
   */
  pass(ref: ExportRef, callerId: string, patienceMs: number): Promise<void> | undefined
}

/** As many reads may wait here as may stand in the waiting line. Each has a timer. */
const MAX_WAITING = 10_000

export const createGate = (
  allowances: Allowances,
  maxWaiting = MAX_WAITING,
  bounds: Bounds = UNMEASURED,
): Gate => {
  const waits = new Map<string, Promise<void>>()
  bounds('held-back-reads', () => waits.size / maxWaiting)

  return {
    pass: (ref, callerId, patienceMs) => {
      // An account name has no blank, so no two pairs share a key.
      const key = `${keyOf(ref)} ${callerId}`
      const underWay = waits.get(key)
      if (underWay !== undefined) return underWay
      const waitMs = allowances.take(callerId, waits.size < maxWaiting ? patienceMs : 0)
      if (waitMs === 0) return undefined
      if (waitMs > patienceMs || waits.size >= maxWaiting) throw tooMany(waitMs)
      const { promise, resolve } = Promise.withResolvers<void>()
      const end = () => {
        waits.delete(key)
        resolve()
      }
      setTimeout(end, waitMs)
      waits.set(key, promise)
      return promise
    },
  }
}

const tooMany = (waitMs: number): Problem =>
  new Problem(
    'budget-exhausted',
    'This caller asks for more exports that nobody has seen before than the gateway may look up.',
    { retryAfterMs: Math.max(1_000, waitMs), notSent: true },
  )
