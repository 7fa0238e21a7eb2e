import { Problem } from '../../problems.ts'
import { timedOut } from '../ends.ts'
import { type ExportRef, isFinal, keyOf } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import { type PollIntervals, watchedIntervalMs } from '../following/poll-policy.ts'
import type { Observer, Results } from '../ports.ts'
import type { Cache } from '../reading/cache.ts'
import type { Reader, Reading } from '../reading/reader.ts'
import { type Hub, isOver, type Subscriber, type Topic } from './hub.ts'

/** Watching exports: tells a subscriber the first status, and makes sure that later ones come. */
export interface Watch {
  /** Adds a subscriber. Call it before anything is read, so that no change gets lost in between. */
  join(ref: ExportRef, subscriber: Subscriber): Topic
  leave(ref: ExportRef, subscriber: Subscriber): void
  /**
   * Resolves when the topic of a joined export holds something to tell. A young observation is
   * enough, so that 10 000 who join cost lemlist one call or none.
   * @throws Problem when the export is unknown or over for good
   */
  first(ref: ExportRef): Promise<void>
  /**
   * Resolves when the export is over, `ms` have passed or a signal aborts.
   * @throws Problem as `first`
   */
  wait(ref: ExportRef, ms: number, signals: readonly AbortSignal[]): Promise<Reading>
  /**
   * Called at each heartbeat. Tells the schedule what this replica watches, and reads the ends that
   * the bus may have lost.
   */
  renew(): Promise<void>
  /** Called when another schedule is in use. Makes it track all that this replica watches. */
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

/** After so many times the longest interval without news, the schedule may have lost an export. */
const SILENT_INTERVALS = 3

export const createWatch = (options: WatchOptions): Watch => {
  const { hub, reader, cache, follower, results, observer, intervals } = options
  const now = options.now ?? Date.now
  /** The reads for the first subscriber of each topic. Later subscribers wait for the same read. */
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

  /** Tells what is known already, or a young observation. Without both it looks at lemlist. */
  const open = async (ref: ExportRef): Promise<void> => {
    const known = await reader.lookup(ref)
    if (known !== undefined) return tell(ref, known)
    const recent = young(ref)
    if (recent === undefined) return look(ref)
    const { firstSeenAt, snapshot } = recent
    await follower.hasten(ref, { firstSeenAt, observedAt: snapshot.observedAt })
    // The status is told last, here and in `look`. If the first subscriber leaves and another one
    // joins meanwhile, the new one waits for this read, and this line must tell it the status.
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
      // One 404 for an export that is followed may be a hiccup. The next looks decide.
      const undecided = error.status === 404 && (await follower.standing(ref)) !== 'none'
      if (!passes && !undecided) throw error
      await askOn(ref)
      if (passes) trouble(ref, error)
    }
  }

  const trouble = (ref: ExportRef, { code, message }: Problem): void =>
    hub.dispatch(ref, { kind: 'trouble', code, detail: message })

  /**
   * Called after a look that told nothing new. The next look comes within a watched interval, also
   * when the schedule has planned a later one because nobody watched.
   */
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

  /**
   * Whether the topic is enough for a new subscriber. A `gone` is not: lemlist may know the export
   * by now, so the new subscriber asks again.
   */
  const isTold = ({ snapshot, word }: Topic): boolean =>
    word?.kind !== 'gone' && (snapshot !== undefined || word !== undefined)

  /** Checks an export of which nothing was heard for long, because the store may have lost it. */
  const rescue = async (topic: Topic): Promise<void> => {
    if (now() - topic.heardAt < intervals.maxIntervalMs * SILENT_INTERVALS) return
    if (!(await follower.isTracked(topic.ref))) return follow(topic)
    // After a lost renewal the schedule may hold it as unwatched, with a due time that is too late.
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
      // Another replica may have reached Redis before this one. It took these exports for
      // unwatched, so their next looks may be planned too late.
      await renew(now() + intervals.intervalMs)
    },
  }
}
