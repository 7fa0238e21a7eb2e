import { type ExportRef, isFinal, keyOf, type Snapshot, supersedes } from '../export.ts'
import type { Update } from '../ports.ts'

/** The trouble or the end of an export, in words for its watchers. */
export type Word = Extract<Update, { kind: 'trouble' | 'gone' }>

/** What the watchers of one export on this replica know of it: the newest status, and trouble or its end. */
export interface Topic {
  readonly ref: ExportRef
  readonly snapshot: Snapshot | undefined
  readonly word: Word | undefined
  /** Epoch milliseconds of the last update, of whatever kind. */
  readonly heardAt: number
}

export interface Subscriber {
  /**
   * Something about the export is new; the topic holds what is newest. Called once for several
   * updates that come close together. Must not throw.
   */
  changed(topic: Topic): void
}

export interface Hub {
  /** Joins; the topic holds what is known already. */
  subscribe(ref: ExportRef, subscriber: Subscriber): Topic
  unsubscribe(ref: ExportRef, subscriber: Subscriber): void
  /** Tells everybody who watches the export here. An older status, or one after an end, is dropped. */
  dispatch(ref: ExportRef, update: Update): void
  isWatched(ref: ExportRef): boolean
  topic(ref: ExportRef): Topic | undefined
  /** The topics of exports that are not over. */
  open(): Topic[]
}

/** Whether nothing new will ever be told of it. */
export const isOver = ({ snapshot, word }: Pick<Topic, 'snapshot' | 'word'>): boolean =>
  word?.kind === 'gone' || (snapshot !== undefined && isFinal(snapshot))

interface Watched {
  topic: Topic
  readonly subscribers: Set<Subscriber>
  /** Who is still to be told, while a slice after the other is. */
  telling: Iterator<Subscriber> | undefined
  /** Something came meanwhile: those who were told before it are told again. */
  again: boolean
}

/** Writing to more sockets in one go would hold up everything else for tens of milliseconds. */
const SLICE = 256

/**
 * The fan-out on this replica. A topic exists as long as it has subscribers, so topics are bounded by
 * the streams and what one stream may ask for.
 */
export const createHub = (now: () => number = Date.now): Hub => {
  const watched = new Map<string, Watched>()

  /** One round at a time, each to its end: however fast updates come, the last in line hears of them. */
  const tell = (one: Watched): void => {
    one.again = one.telling !== undefined
    if (one.again) return
    one.telling = one.subscribers.values()
    tellSlice(one)
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
        one = { topic, subscribers: new Set(), telling: undefined, again: false }
        watched.set(key, one)
      }
      one.subscribers.add(subscriber)
      return one.topic
    },
    unsubscribe: (ref, subscriber) => {
      const key = keyOf(ref)
      const one = watched.get(key)
      one?.subscribers.delete(subscriber)
      if (one?.subscribers.size === 0) watched.delete(key)
    },
    dispatch: (ref, update) => {
      const one = watched.get(keyOf(ref))
      if (one === undefined) return
      const before = one.topic
      const after = next(before, update, now())
      one.topic = after
      const changed =
        after.snapshot?.version !== before.snapshot?.version || after.word !== before.word
      if (changed) tell(one)
    },
    isWatched: (ref) => watched.has(keyOf(ref)),
    topic: (ref) => watched.get(keyOf(ref))?.topic,
    open: () => [...watched.values()].map(({ topic }) => topic).filter((topic) => !isOver(topic)),
  }
}

/** Ends that only a final status beats. What lemlist did not know it may know a moment later. */
const VERDICTS: ReadonlySet<string> = new Set(['export-timed-out', 'export-expired'])

/** The topic after an update: final is for ever, a status ends trouble, the same trouble is told once. */
const next = (topic: Topic, update: Update, heardAt: number): Topic => {
  const { snapshot, word } = topic
  if (snapshot !== undefined && isFinal(snapshot)) return topic
  if (update.kind === 'status') {
    if (!supersedes(update.snapshot, snapshot)) return topic
    const hasVerdict = word?.kind === 'gone' && VERDICTS.has(word.code)
    const comesTooLate = hasVerdict && !isFinal(update.snapshot)
    return comesTooLate ? topic : { ...topic, snapshot: update.snapshot, word: undefined, heardAt }
  }
  if (word?.kind === 'gone') return topic
  const same = word?.kind === update.kind && word.code === update.code
  return { ...topic, word: same ? word : update, heardAt }
}
