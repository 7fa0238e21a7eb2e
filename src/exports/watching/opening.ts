import { Problem } from '../../problems.ts'
import { type ExportRef, isFinal, keyOf } from '../export.ts'
import type { Attendance } from '../following/attendance.ts'
import type { Follower } from '../following/follower.ts'
import { type PollIntervals, watchedIntervalMs } from '../following/poll-policy.ts'
import type { Observer } from '../ports.ts'
import type { Cache } from '../reading/cache.ts'
import type { Looker } from '../reading/looker.ts'
import type { Reader, Reading } from '../reading/reader.ts'
import { wasTurnedAway } from '../turned-away.ts'
import type { Arrivals } from './arrivals.ts'
import type { Doubter, Hub } from './hub.ts'
import type { Topic } from './topic.ts'

/**
 * Finds the first status for subscribers that join. The hub tells it to them. `callerId` says who
 * joins: looks at ids that nobody has seen before are counted for each caller. Without it nothing is
 * counted.
 */
export interface Opening {
  /**
   * Resolves when the topic of a joined export holds something to tell. A young observation is
   * enough, so that 10 000 who join cost lemlist one call or none.
   *
   * @returns undefined when the topic holds something already, as for nearly all of those 10 000
   * @throws Problem when the export is unknown or over for good
   */
  first(ref: ExportRef, callerId?: string): Promise<void> | undefined
  /**
   * The same for many exports. It tells what is known, and leaves the other exports to the shared
   * poll, which looks at them one after the other. So a stream of a hundred exports does not fill
   * the waiting line. The problem of one export is told to its topic and not thrown.
   */
  firstOfMany(refs: readonly ExportRef[], callerId?: string): Promise<void>
  /**
   * What a client is told first that has come back with an id while the store is away: an end that
   * is known, else what lemlist says from now on, and no observation of before.
   */
  confirm(refs: readonly ExportRef[], doubter: Doubter, callerId?: string): Promise<void>
  /**
   * Returns the last pending observation if it is younger than the interval of a watched export.
   */
  young(ref: ExportRef): Reading | undefined
}

export interface OpeningOptions {
  readonly hub: Hub
  readonly reader: Pick<Reader, 'lookupMany' | 'read'>
  readonly cache: Pick<Cache, 'stale' | 'newest'>
  readonly follower: Pick<Follower, 'standing'>
  readonly attendance: Pick<Attendance, 'hasten'>
  readonly arrivals: Pick<Arrivals, 'adopt' | 'come' | 'join'>
  readonly looker: Pick<Looker, 'landing'>
  readonly observer: Observer
  readonly intervals: PollIntervals
  readonly now?: () => number
}

export const createOpening = (options: OpeningOptions): Opening => {
  const { hub, reader, cache, follower, attendance, arrivals, looker, observer, intervals } =
    options
  const now = options.now ?? Date.now
  /** The reads for the first subscriber of each topic. Later subscribers wait for the same read. */
  const underWay = new Map<string, Promise<void>>()

  const young: Opening['young'] = (ref) => {
    const known = cache.stale(ref)
    if (known === undefined) return undefined
    const { firstSeenAt, snapshot } = known
    const intervalMs = watchedIntervalMs(now() - firstSeenAt, intervals)
    return now() - snapshot.observedAt < intervalMs ? { ...known, how: 'collapsed' } : undefined
  }

  /**
   * Tells what was read, or what is newer. While the store was slow, another look or another replica
   * may have told something newer, to this topic or before the topic had a subscriber. So what was read
   * is compared by its time, as if it came from elsewhere.
   */
  const tell = (ref: ExportRef, { snapshot: read }: Reading): void => {
    const snapshot = isFinal(read) ? read : (cache.newest(ref) ?? read)
    hub.dispatch(ref, { kind: 'status', snapshot }, 'elsewhere')
  }

  const tellTrouble = (ref: ExportRef, { code, message }: Problem): void =>
    hub.dispatch(ref, { kind: 'trouble', code, detail: message }, 'here')

  const tellGone = (ref: ExportRef, { code, message }: Problem): void =>
    hub.dispatch(ref, { kind: 'gone', code, detail: message }, 'here')

  const hasten = (refs: readonly ExportRef[]): Promise<void> =>
    attendance.hasten(
      refs.flatMap((ref) => {
        const recent = young(ref)
        if (recent === undefined) return []
        const { firstSeenAt, snapshot } = recent
        return [{ ref, firstSeenAt, observedAt: snapshot.observedAt }]
      }),
    )

  const lookAgain = (ref: ExportRef, trouble: Problem, callerId?: string): Promise<void> => {
    // lemlist has not failed, and the export still waits for its first look.
    if (wasTurnedAway(trouble)) return arrivals.come([ref], callerId)
    return arrivals.adopt([ref], 'after a failure')
  }

  const look = async (ref: ExportRef, callerId?: string): Promise<void> => {
    try {
      const isWanted = () => hub.isWatched(ref)
      const reading = await reader.read(ref, { isWanted, callerId })
      if (reading.trouble !== undefined) await lookAgain(ref, reading.trouble, callerId)
      tell(ref, reading)
      if (reading.trouble !== undefined) tellTrouble(ref, reading.trouble)
    } catch (thrown) {
      const error = thrown instanceof Problem ? thrown : bug(thrown)
      const passes = error.status !== 404 && error.status !== 410
      // One 404 for an export that is followed may be a hiccup. The next looks decide.
      const undecided = error.status === 404 && (await follower.standing(ref)) !== 'none'
      if (!passes && !undecided) throw error
      await lookAgain(ref, error, callerId)
      if (passes) tellTrouble(ref, error)
    }
  }

  const bug = (cause: unknown): Problem => {
    observer.failed('watch', cause)
    return new Problem('internal', 'Something went wrong in the gateway.', { cause })
  }

  /** Tells what is known already, or a young observation. Without both it looks at lemlist. */
  const open = async (ref: ExportRef, callerId?: string): Promise<void> => {
    const [known] = await reader.lookupMany([ref])
    // An export that has timed out is not over for good: the look below may ask lemlist again.
    if (known instanceof Problem && known.code !== 'export-timed-out') throw known
    if (known !== undefined && !(known instanceof Problem)) return tell(ref, known)
    const recent = young(ref)
    if (recent === undefined) return look(ref, callerId)
    await hasten([ref])
    // The status is told last, here and in `look`. If the first subscriber leaves and another one
    // joins meanwhile, the new one waits for this read, and this line must tell it the status.
    tell(ref, recent)
  }

  const begin = (refs: readonly ExportRef[], work: Promise<void>): Promise<void> => {
    const done = work.finally(() => {
      for (const key of refs.map(keyOf)) underWay.delete(key)
    })
    for (const key of refs.map(keyOf)) underWay.set(key, done)
    return done
  }

  const openTelling = (ref: ExportRef, callerId?: string): Promise<void> =>
    open(ref, callerId).catch((error) => {
      if (error instanceof Problem) tellGone(ref, error)
      throw error
    })

  /** Tells the ends that are known. Returns the others. */
  const tellEnds = async (refs: readonly ExportRef[]): Promise<ExportRef[]> => {
    const known = await reader.lookupMany(refs)
    const unknown: ExportRef[] = []
    for (const [index, ref] of refs.entries()) {
      const one = known[index]
      if (one === undefined) unknown.push(ref)
      else if (!(one instanceof Problem)) tell(ref, one)
      else if (one.code === 'export-timed-out') openTelling(ref).catch(() => {})
      else tellGone(ref, one)
    }
    return unknown
  }

  const confirm: Opening['confirm'] = async (refs, doubter, callerId) => {
    const unknown = await tellEnds(refs)
    const doubt = async (refs: readonly ExportRef[]): Promise<void> => {
      for (const ref of refs) hub.doubt(ref, doubter, cache.stale(ref)?.snapshot)
      await arrivals.come(refs, callerId)
    }
    const waits: Promise<void>[] = []
    const ready: ExportRef[] = []
    for (const ref of unknown) {
      // This look may have left before another replica showed the client what it has seen.
      const landing = looker.landing(ref)
      if (landing === undefined) ready.push(ref)
      else waits.push(landing.then(() => doubt([ref])))
    }
    await Promise.all([doubt(ready), ...waits])
  }

  const openMany = async (refs: readonly ExportRef[], callerId?: string): Promise<void> => {
    const unknown = await tellEnds(refs)
    const recent = unknown.filter((ref) => young(ref) !== undefined)
    await hasten(recent)
    for (const ref of recent) {
      const reading = young(ref)
      if (reading !== undefined) tell(ref, reading)
    }
    await arrivals.come(
      unknown.filter((ref) => young(ref) === undefined),
      callerId,
    )
  }

  const isTold = (ref: ExportRef): boolean => {
    const topic = hub.topic(ref)
    return topic !== undefined && tellsEnough(topic)
  }

  return {
    young,
    confirm,
    first: (ref, callerId) => {
      arrivals.join([ref], callerId)
      if (isTold(ref)) return undefined
      return underWay.get(keyOf(ref)) ?? begin([ref], openTelling(ref, callerId))
    },
    firstOfMany: async (refs, callerId) => {
      arrivals.join(refs, callerId)
      const fresh = refs.filter((ref) => !isTold(ref) && !underWay.has(keyOf(ref)))
      if (fresh.length > 0) await begin(fresh, openMany(fresh, callerId))
    },
  }
}

/**
 * Whether the topic is enough for a new subscriber. A `gone` is not: lemlist may know the export by
 * now, so the new subscriber asks again.
 */
const tellsEnough = ({ snapshot, word }: Topic): boolean =>
  word?.kind !== 'gone' && (snapshot !== undefined || word !== undefined)
