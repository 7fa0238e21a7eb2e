import { Problem } from '../../problems.ts'
import { type ExportRef, keyOf } from '../export.ts'
import type { Attendance, Soon } from '../following/attendance.ts'
import type { Allowances } from '../reading/allowances.ts'
import type { Cache } from '../reading/cache.ts'
import { inSlices, SLICE } from '../slices.ts'
import type { Hub } from './hub.ts'
import { isOver } from './topic.ts'

/** Hands watched exports over to the shared poll, those that nobody has seen before one by one. */
export interface Arrivals {
  /** Has the shared poll look at watched exports, unless nobody watches them any more. */
  adopt(refs: readonly ExportRef[], soon: Soon): Promise<void>
  /**
   * Has the shared poll look at watched exports: at once, or as soon as the caller's allowance
   * permits where lemlist has not confirmed the export. Without a caller nothing is counted.
   */
  come(refs: readonly ExportRef[], callerId: string | undefined): Promise<void>
  /**
   * Another caller watches exports that may wait for the allowance of the first one. They wait for
   * that of either from now on.
   */
  join(refs: readonly ExportRef[], callerId: string | undefined): void
  /** Whether the export waits for the allowance of a caller. */
  isWaiting(ref: ExportRef): boolean
  /** Called when the last watcher of an export on this replica has left. */
  left(ref: ExportRef): void
}

export interface ArrivalsOptions {
  readonly allowances: Allowances
  readonly attendance: Pick<Attendance, 'adopt' | 'unconfirmed'>
  readonly cache: Pick<Cache, 'hasSeen'>
  readonly hub: Pick<Hub, 'isWatched' | 'topic' | 'dispatch'>
}

/** An export that waits for the allowance of one caller or of several. */
interface Arrival {
  readonly ref: ExportRef
  readonly queues: Set<Queue>
}

/** What waits for the allowance of one caller, in the order in which it came. */
type Queue = Set<Arrival>

/**
 * Everything that waits here is watched on this replica. So the number of streams, and the number
 * of exports that one stream may ask for, bound it. Each caller who has exports here has one timer.
 */
export const createArrivals = (options: ArrivalsOptions): Arrivals => {
  const { allowances, attendance, cache, hub } = options
  const waiting = new Map<string, Arrival>()
  const queues = new Map<string, Queue>()

  const adopt: Arrivals['adopt'] = async (refs, soon) => {
    const wanted = refs.map((ref) => ({ ref }))
    for (const ref of await attendance.adopt(wanted, soon)) {
      const { code, message } = full()
      hub.dispatch(ref, { kind: 'trouble', code, detail: message }, 'here')
    }
  }

  const remove = (arrival: Arrival): void => {
    waiting.delete(keyOf(arrival.ref))
    for (const queue of arrival.queues) queue.delete(arrival)
  }

  /** Whether somebody else has looked at the export meanwhile. */
  const isAnswered = (ref: ExportRef): boolean => {
    const topic = hub.topic(ref)
    return topic !== undefined && (topic.snapshot !== undefined || isOver(topic))
  }

  /** Takes from the queue what the allowance permits now. At most one slice of work. */
  const taken = (queue: Queue, callerId: string): ExportRef[] => {
    const refs: ExportRef[] = []
    for (const arrival of queue) {
      const isNeeded = !isAnswered(arrival.ref)
      // The first one has its place already.
      if (isNeeded && refs.length > 0 && allowances.take(callerId, 0) > 0) break
      remove(arrival)
      if (isNeeded) refs.push(arrival.ref)
      if (refs.length >= SLICE) break
    }
    return refs
  }

  const serve = async (queue: Queue, callerId: string): Promise<void> => {
    while (queue.size > 0) {
      const waitMs = allowances.take(callerId, Number.POSITIVE_INFINITY)
      if (waitMs > 0) await rest(waitMs)
      await adopt(taken(queue, callerId), 'at once')
    }
    queues.delete(callerId)
  }

  const enqueue = (arrivals: readonly Arrival[], callerId: string): void => {
    const known = queues.get(callerId)
    const queue: Queue = known ?? new Set()
    for (const arrival of arrivals) {
      queue.add(arrival)
      arrival.queues.add(queue)
    }
    if (known !== undefined || queue.size === 0) return
    queues.set(callerId, queue)
    void serve(queue, callerId)
  }

  const arrivalOf = (ref: ExportRef): Arrival => {
    const key = keyOf(ref)
    const arrival = waiting.get(key) ?? { ref, queues: new Set() }
    waiting.set(key, arrival)
    return arrival
  }

  return {
    adopt,
    come: async (refs, callerId) => {
      if (callerId === undefined) return adopt(refs, 'at once')
      await inSlices(refs, async (slice) => {
        const unseen = slice.filter((ref) => !cache.hasSeen(ref))
        const unconfirmed = new Set(await attendance.unconfirmed(unseen))
        const isNew = (ref: ExportRef) => unconfirmed.has(ref) && hub.isWatched(ref)
        enqueue(slice.filter(isNew).map(arrivalOf), callerId)
        await adopt(
          slice.filter((ref) => !unconfirmed.has(ref)),
          'at once',
        )
      })
    },
    join: (refs, callerId) => {
      if (callerId === undefined || waiting.size === 0) return
      const both = refs.map((ref) => waiting.get(keyOf(ref))).filter((one) => one !== undefined)
      enqueue(both, callerId)
    },
    isWaiting: (ref) => waiting.has(keyOf(ref)),
    left: (ref) => {
      const arrival = waiting.get(keyOf(ref))
      if (arrival !== undefined) remove(arrival)
    },
  }
}

const rest = (ms: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  // What waits here keeps no process alive.
  setTimeout(resolve, ms).unref()
  return promise
}

const full = (): Problem =>
  new Problem('overloaded', 'The gateway follows as many exports as it can.')
