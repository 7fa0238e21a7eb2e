import { type ExportRef, keyOf, type ObservedOn, type Snapshot } from '../export.ts'
import type { Change } from '../ports.ts'
import { afterUpdate, asOf, isOver, type Topic } from './topic.ts'

export interface Subscriber {
  /**
   * Called when something about the export is new. The topic holds the newest. Several updates that
   * come close together may lead to one call. Must not throw.
   */
  changed(topic: Topic): void
}

/** A subscriber that was shown a status which this replica does not know: it may have seen the end. */
export interface Doubter extends Subscriber {
  /** Called once, with the first status that lemlist gave after the doubt began. Must not throw. */
  confirmed(topic: Topic): void
}

export interface Hub {
  /**
   * Adds a subscriber. The returned topic holds what is already known. A status whose file is deleted by
   * now is gone for those who come, as it is for readers. Nobody who was told of it is told more.
   */
  subscribe(ref: ExportRef, subscriber: Subscriber): Topic
  unsubscribe(ref: ExportRef, subscriber: Subscriber): void
  /**
   * Confirms the topic to a subscriber when the next status comes, whether it is new or not.
   *
   * @param before the last observation so far, which confirms nothing when it is told once more
   */
  doubt(ref: ExportRef, doubter: Doubter, before: Snapshot | undefined): void
  /** Tells all who watch the export here. Drops an older status, and a status after the end. */
  dispatch(ref: ExportRef, update: Change, from: ObservedOn): void
  isWatched(ref: ExportRef): boolean
  /** How many watch the export here. */
  watchers(ref: ExportRef): number
  /** Returns the topic as somebody sees it who comes now. */
  topic(ref: ExportRef): Topic | undefined
  /** Returns the topics of the exports that are not over. */
  open(): Topic[]
}

interface Watched {
  topic: Topic
  /** Where the snapshot of the topic was observed. */
  from: ObservedOn
  readonly subscribers: Set<Subscriber>
  /** The subscribers that doubt, and the observation that each of them does not believe. */
  readonly doubters: Map<Subscriber, { doubter: Doubter; before: Snapshot | undefined }>
  /** The subscribers that the round under way has not told yet. Undefined between rounds. */
  telling: Iterator<Subscriber> | undefined
  /** An update came during the round. Another round follows, which tells everybody again. */
  again: boolean
}

/** How many are told at once. Writing to more sockets would block all else for tens of ms. */
const SLICE = 256

/**
 * The fan-out on this replica. A topic exists as long as it has subscribers. So the topics are
 * bounded by the number of streams and by the number of exports that one stream may ask for.
 */
export const createHub = (now: () => number = Date.now): Hub => {
  const watched = new Map<string, Watched>()

  /** Runs one round at a time, each to its end. So all are told, however fast updates come. */
  const tell = (one: Watched): void => {
    one.again = one.telling !== undefined
    if (one.again) return
    one.telling = one.subscribers.values()
    tellSlice(one)
  }

  const confirm = ({ doubters, topic }: Watched, said: Snapshot): void => {
    for (const [subscriber, { doubter, before }] of doubters) {
      if (said === before) continue
      doubters.delete(subscriber)
      doubter.confirmed(asOf(now(), topic))
    }
  }

  const tellSlice = (one: Watched): void => {
    for (let told = 0; told < SLICE; told += 1) {
      const next = one.telling?.next()
      if (next === undefined || next.done === true) {
        one.telling = one.again ? one.subscribers.values() : undefined
        one.again = false
        if (one.telling === undefined) return
        break
      }
      next.value.changed(one.topic)
    }
    setImmediate(tellSlice, one)
  }

  return {
    subscribe: (ref, subscriber) => {
      const key = keyOf(ref)
      let one = watched.get(key)
      if (one === undefined) {
        const topic = { ref, snapshot: undefined, word: undefined, heardAt: now() }
        one = {
          topic,
          from: 'elsewhere',
          subscribers: new Set(),
          doubters: new Map(),
          telling: undefined,
          again: false,
        }
        watched.set(key, one)
      }
      one.subscribers.add(subscriber)
      return asOf(now(), one.topic)
    },
    unsubscribe: (ref, subscriber) => {
      const key = keyOf(ref)
      const one = watched.get(key)
      one?.subscribers.delete(subscriber)
      one?.doubters.delete(subscriber)
      if (one?.subscribers.size === 0) watched.delete(key)
    },
    doubt: (ref, doubter, before) => {
      const one = watched.get(keyOf(ref))
      if (one?.subscribers.has(doubter)) one.doubters.set(doubter, { doubter, before })
    },
    dispatch: (ref, update, from) => {
      const one = watched.get(keyOf(ref))
      if (one === undefined) return
      const before = one.topic
      const after = afterUpdate(one, update, from, now())
      one.topic = after
      if (after.snapshot !== before.snapshot) one.from = from
      const changed =
        after.snapshot?.version !== before.snapshot?.version || after.word !== before.word
      if (changed) tell(one)
      if (update.kind === 'status') confirm(one, update.snapshot)
    },
    isWatched: (ref) => watched.has(keyOf(ref)),
    watchers: (ref) => watched.get(keyOf(ref))?.subscribers.size ?? 0,
    topic: (ref) => {
      const topic = watched.get(keyOf(ref))?.topic
      return topic && asOf(now(), topic)
    },
    open: () => [...watched.values()].map(({ topic }) => topic).filter((topic) => !isOver(topic)),
  }
}
