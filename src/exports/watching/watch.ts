import { Problem } from '../../problems.ts'
import { type ExportRef, isFinal } from '../export.ts'
import type { Attendance } from '../following/attendance.ts'
import type { Reader, Reading } from '../reading/reader.ts'
import type { Arrivals } from './arrivals.ts'
import type { Hub, Subscriber } from './hub.ts'
import type { Opening } from './opening.ts'
import { isOver, type Topic } from './topic.ts'

/** Watching exports: tells a subscriber the first status, and makes sure that later ones come. */
export interface Watch extends Pick<Opening, 'first' | 'firstOfMany' | 'confirm'> {
  /**
   * Whether other replicas may know more of exports than this one, because the store that they
   * share is away.
   */
  isAlone(): boolean
  /** Adds a subscriber. Call it before anything is read, so that no change gets lost in between. */
  join(ref: ExportRef, subscriber: Subscriber): Topic
  leave(ref: ExportRef, subscriber: Subscriber): void
  /**
   * Resolves when the export is over, `ms` have passed or a signal aborts. Resolves to what a read at
   * that moment would give, or to what lemlist said of a pending export during the wait, if that is
   * younger than a poll interval and there was no trouble since.
   * @throws Problem as `first`
   */
  wait(
    ref: ExportRef,
    ms: number,
    signals: readonly AbortSignal[],
    callerId?: string,
  ): Promise<Reading>
}

interface WatchOptions {
  readonly hub: Hub
  readonly opening: Opening
  readonly attendance: Pick<Attendance, 'came' | 'left'>
  readonly arrivals: Pick<Arrivals, 'left'>
  readonly reader: Pick<Reader, 'lookup' | 'read'>
  readonly isAlone: () => boolean
  /** Epoch milliseconds. */
  readonly now?: () => number
}

export const createWatch = (options: WatchOptions): Watch => {
  const { hub, opening, attendance, arrivals, reader, isAlone } = options
  const { first, firstOfMany, confirm, young } = opening
  const now = options.now ?? Date.now

  const join: Watch['join'] = (ref, subscriber) => {
    if (!hub.isWatched(ref)) attendance.came(ref)
    return hub.subscribe(ref, subscriber)
  }

  const leave: Watch['leave'] = (ref, subscriber) => {
    hub.unsubscribe(ref, subscriber)
    if (hub.isWatched(ref)) return
    attendance.left(ref)
    arrivals.left(ref)
  }

  return {
    isAlone,
    confirm,
    join,
    leave,
    first,
    firstOfMany,
    wait: async (ref, ms, signals, callerId) => {
      const cameAt = now()
      let isTroubled = false
      const over = Promise.withResolvers<void>()
      const subscriber = {
        changed: ({ snapshot, word }: Topic) => {
          if (word?.kind === 'gone') over.reject(new Problem(word.code, word.detail))
          else if (snapshot !== undefined && isFinal(snapshot)) over.resolve()
        },
      }
      const timer = setTimeout(over.resolve, ms)
      const stop = () => over.resolve()
      for (const signal of signals) signal.addEventListener('abort', stop)
      if (signals.some(({ aborted }) => aborted)) stop()
      join(ref, subscriber)
      try {
        await Promise.race([first(ref, callerId), over.promise])
        const known = hub.topic(ref)
        if (known === undefined || !isOver(known)) await over.promise
        isTroubled = hub.topic(ref)?.word?.kind === 'trouble'
      } finally {
        clearTimeout(timer)
        for (const signal of signals) signal.removeEventListener('abort', stop)
        leave(ref, subscriber)
      }
      // While this replica is alone, another one may have shown the end after the young observation.
      const observed = isAlone() ? undefined : young(ref)
      const known = await reader.lookup(ref)
      if (known !== undefined) return known
      // Who is cut short gets the young observation, if there is one.
      if (observed !== undefined && signals.some(({ aborted }) => aborted)) {
        return isTroubled ? { ...observed, how: 'stale' } : observed
      }
      const isOfWait = observed !== undefined && observed.snapshot.observedAt >= cameAt
      return isOfWait && !isTroubled ? observed : await reader.read(ref, { callerId })
    },
  }
}
