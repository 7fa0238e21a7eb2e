import { Problem } from '../../problems.ts'
import { timedOut } from '../ends.ts'
import { type ExportRef, isFinal, keyOf } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import { type PollIntervals, watchedIntervalMs } from '../following/poll-policy.ts'
import type { Observer, Results } from '../ports.ts'
import type { Cache } from '../reading/cache.ts'
import type { Reader, Reading } from '../reading/reader.ts'
import { type Hub, isOver, type Subscriber, type Topic } from './hub.ts'

/** Watching exports: what a subscriber is told first, and what keeps the telling going. */
export interface Watch {
  /** Joins before anything is read, so that no change falls in between. */
  join(ref: ExportRef, subscriber: Subscriber): Topic
  leave(ref: ExportRef, subscriber: Subscriber): void
  /**
   * Resolves when the topic of a joined export holds something to tell; a young observation serves, so
   * that 10 000 who join cost lemlist one call or none. @throws Problem when it is unknown or over for good
   */
  first(ref: ExportRef): Promise<void>
  /** Resolves when it is over, `ms` have passed or a signal aborts. @throws Problem as `first` */
  wait(ref: ExportRef, ms: number, signals: readonly AbortSignal[]): Promise<Reading>
  /** At each heartbeat: keeps what is watched here watched, and reads the ends the bus may have lost. */
  renew(): Promise<void>
  /** After the schedule was changed for another: all that is watched here is followed there too. */
  rejoin(): Promise<void>
}

interface WatchOptions {
  readonly hub: Hub
  readonly reader: Reader
  readonly cache: Pick<Cache, 'stale'>
  readonly follower: Pick<
    Follower,
    'adopt' | 'note' | 'hasten' | 'renew' | 'isTracked' | 'standing'
  >
  readonly results: Pick<Results, 'getMany'>
  readonly observer: Observer
  readonly intervals: PollIntervals
  readonly now?: () => number
}

/** Of the longest interval: whoever was not heard of for so long may have fallen out of the schedule. */
const SILENT_INTERVALS = 3

export const createWatch = (options: WatchOptions): Watch => {
  const { hub, reader, cache, follower, results, observer, intervals } = options
  const now = options.now ?? Date.now
  /** What is being read for the first subscriber of a topic; the others wait for the same. */
  const firsts = new Map<string, Promise<void>>()

  const young = (ref: ExportRef): Reading | undefined => {
    const known = cache.stale(ref)
    if (known === undefined) return undefined
    const { firstSeenAt, snapshot } = known
    const intervalMs = watchedIntervalMs(now() - firstSeenAt, intervals)
    return now() - snapshot.observedAt < intervalMs ? { ...known, how: 'collapsed' } : undefined
  }

  const tell = (ref: ExportRef, { snapshot }: Reading): void =>
    hub.dispatch(ref, { kind: 'status', snapshot })

  /** An end that is known, a young observation, else a look. */
  const open = async (ref: ExportRef): Promise<void> => {
    const known = await reader.lookup(ref)
    if (known !== undefined) return tell(ref, known)
    const recent = young(ref)
    if (recent === undefined) return look(ref)
    const { firstSeenAt, snapshot } = recent
    await follower.hasten(ref, { firstSeenAt, observedAt: snapshot.observedAt })
    // Told last, here and below: who joins once the first has left finds this under way, or begins anew.
    tell(ref, recent)
  }

  const look = async (ref: ExportRef): Promise<void> => {
    try {
      const reading = await reader.read(ref)
      if (reading.trouble !== undefined) await askOn(ref)
      tell(ref, reading)
      if (reading.trouble !== undefined) trouble(ref, reading.trouble)
    } catch (thrown) {
      const error = thrown instanceof Problem ? thrown : bug(thrown)
      const passes = error.status !== 404 && error.status !== 410
      // One 404 for an export that is followed may be a hiccup: the next looks decide.
      const undecided = error.status === 404 && (await follower.standing(ref)) !== 'none'
      if (!passes && !undecided) throw error
      await askOn(ref)
      if (passes) trouble(ref, error)
    }
  }

  const trouble = (ref: ExportRef, { code, message }: Problem): void =>
    hub.dispatch(ref, { kind: 'trouble', code, detail: message })

  /** After a look that told nothing new: another in an interval, whatever was planned for nobody. */
  const askOn = async (ref: ExportRef): Promise<void> => {
    if (!(await follower.isTracked(ref))) return follower.adopt(ref)
    await follower.hasten(ref, { firstSeenAt: now() - intervals.firstMs, observedAt: now() })
  }

  const bug = (cause: unknown): Problem => {
    observer.failed('watch', cause)
    return new Problem('internal', 'Something went wrong in the gateway.', { cause })
  }

  const begin = (ref: ExportRef): Promise<void> => {
    const key = keyOf(ref)
    const underWay = firsts.get(key)
    if (underWay !== undefined) return underWay
    const begun = open(ref)
      .catch((error) => {
        if (error instanceof Problem) {
          hub.dispatch(ref, { kind: 'gone', code: error.code, detail: error.message })
        }
        throw error
      })
      .finally(() => firsts.delete(key))
    firsts.set(key, begun)
    return begun
  }

  /** Whether it tells a newcomer enough. The end that others were told may be over: he asks anew. */
  const isTold = ({ snapshot, word }: Topic): boolean =>
    word?.kind !== 'gone' && (snapshot !== undefined || word !== undefined)

  /** Watched, not over, and nothing heard for long: perhaps the store lost it. */
  const rescue = async (topic: Topic): Promise<void> => {
    if (now() - topic.heardAt < intervals.maxIntervalMs * SILENT_INTERVALS) return
    if (!(await follower.isTracked(topic.ref))) return follow(topic)
    // As one that nobody watches: a renewal that was lost is enough for that.
    await follower.renew([topic.ref], now() + intervals.maxIntervalMs)
  }

  const follow = async ({ ref, snapshot }: Topic): Promise<void> => {
    if (await follower.isTracked(ref)) return
    const known = cache.stale(ref)
    if (known !== undefined) await follower.note(ref, known)
    else if (snapshot !== undefined) {
      await follower.note(ref, { snapshot, firstSeenAt: snapshot.observedAt })
    } else await follower.adopt(ref)
  }

  const renew = async (dueBy?: number): Promise<void> => {
    const topics = hub.open()
    if (topics.length === 0) return
    const refs = topics.map(({ ref }) => ref)
    await follower.renew(refs, dueBy)
    try {
      for (const [index, record] of (await results.getMany(refs)).entries()) {
        const ref = refs[index]
        if (ref === undefined) continue
        if (record?.kind === 'final') {
          hub.dispatch(ref, { kind: 'status', snapshot: record.snapshot })
        } else if (record?.kind === 'timed-out') {
          const { code, message } = timedOut()
          hub.dispatch(ref, { kind: 'gone', code, detail: message })
        }
      }
    } catch (error) {
      observer.storeFailed('results.getMany', error)
    }
    for (const topic of topics) await rescue(topic)
  }

  return {
    join: hub.subscribe,
    leave: hub.unsubscribe,
    first: (ref) => {
      const topic = hub.topic(ref)
      return topic !== undefined && isTold(topic) ? Promise.resolve() : begin(ref)
    },
    wait: async (ref, ms, signals) => {
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
      const topic = hub.subscribe(ref, subscriber)
      try {
        await Promise.race([isTold(topic) ? undefined : begin(ref), over.promise])
        const known = hub.topic(ref)
        if (known === undefined || !isOver(known)) await over.promise
      } finally {
        clearTimeout(timer)
        for (const signal of signals) signal.removeEventListener('abort', stop)
        hub.unsubscribe(ref, subscriber)
      }
      return (await reader.lookup(ref)) ?? young(ref) ?? (await reader.read(ref))
    },
    renew: () => renew(),
    rejoin: async () => {
      for (const topic of hub.open()) await follow(topic)
      // Another replica, back before this one, may have looked at them as at what nobody watches.
      await renew(now() + intervals.intervalMs)
    },
  }
}
