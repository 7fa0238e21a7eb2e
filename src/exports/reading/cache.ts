import { Problem } from '../../problems.ts'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import { expired, timedOut } from '../ends.ts'
import {
  cameTooLate,
  type ExportRef,
  isFinal,
  isPastLife,
  isPending,
  type Kept,
  type Snapshot,
  tells,
} from '../export.ts'
import type { FinalRecord, Observer, ResultRecord, Results } from '../ports.ts'
import { inSlices } from '../slices.ts'
import { createFinals } from './finals.ts'
import type { Latest } from './latest.ts'

/**
 * What the gateway knows of an export without asking lemlist: a status, the problem of an export
 * that is over without one, or nothing.
 */
export type Known = Kept | Problem | undefined

export interface Cache {
  /**
   * Returns a final answer that this process holds in memory, with one look-up and no promise.
   *
   * @param at epoch milliseconds. Default: now.
   */
  peek(ref: ExportRef, at?: number): Kept | undefined
  /**
   * Returns what is known without asking lemlist.
   * @throws Problem when the export is over without a status that can be shown
   */
  lookup(ref: ExportRef): Promise<Kept | undefined>
  /**
   * The same for many exports, with one answer for each, in their order. A problem is returned and
   * not thrown.
   */
  lookupMany(refs: readonly ExportRef[]): Promise<Known[]>
  /** Whether this replica remembers a status of the export, whichever it was. */
  hasSeen(ref: ExportRef): boolean
  /** Returns the last status that this replica remembers of the export, whichever it was. */
  newest(ref: ExportRef): Snapshot | undefined
  /** Returns the last pending observation while it is young enough for a stale answer. */
  stale(ref: ExportRef): Kept | undefined
  /** Keeps what lemlist said, and returns what callers see. A final answer in the store wins. */
  keep(ref: ExportRef, snapshot: Snapshot): Promise<Kept>
}

export interface CacheOptions {
  readonly results: Results
  readonly latest: Latest
  readonly observer: Observer
  /** How long lemlist keeps a file: 24 h, in milliseconds. */
  readonly fileTtlMs: number
  /**
   * When the gateway began to follow the export, epoch milliseconds; undefined when it does not
   * follow it. Must not reject. Default: it follows none.
   */
  readonly followedSince?: ((ref: ExportRef) => Promise<number | undefined>) | undefined
  /** Epoch milliseconds. */
  readonly now?: () => number
  readonly bounds?: Bounds | undefined
}

/**
 * For this long a pending observation may serve as a stale answer, and an answer is repeated that
 * is neither pending nor kept as final.
 */
const SHORT_LIFE_MS = 60_000

/**
 * The places to ask before lemlist: the finals in memory, the unusual answers of the last minute,
 * then the store. A store that fails counts as empty, so that reads go on to lemlist.
 */
export const createCache = (options: CacheOptions): Cache => {
  const { results, latest, observer, fileTtlMs } = options
  const { bounds = UNMEASURED, followedSince = async () => undefined } = options
  const now = options.now ?? Date.now
  /** Holds only finals that the store holds too. */
  const finals = createFinals(bounds)

  /** Other programs may write to the store. A record whose body is no status is none. */
  const remember = (ref: ExportRef, record: ResultRecord | undefined): ResultRecord | undefined => {
    if (record?.kind !== 'final') return record
    if (!tells(record.snapshot)) {
      observer.storeFailed('corrupt-record', new Error('A record holds no status of an export'))
      return undefined
    }
    finals.set(ref, record)
    return record
  }

  const stored = async (refs: readonly ExportRef[]): Promise<(ResultRecord | undefined)[]> => {
    try {
      const records = await results.getMany(refs)
      return refs.map((ref, index) => remember(ref, records[index]))
    } catch (error) {
      observer.storeFailed('results.getMany', error)
      return refs.map(() => undefined)
    }
  }

  const firstSeenAt = async (ref: ExportRef, { observedAt }: Snapshot): Promise<number> => {
    const hereAt = latest.get(ref)?.firstSeenAt ?? observedAt
    return Math.min(hereAt, observedAt, (await followedSince(ref)) ?? observedAt)
  }

  const put = async (ref: ExportRef, snapshot: Snapshot): Promise<ResultRecord | undefined> => {
    const { endOfLife } = snapshot
    if (endOfLife === undefined || isPastLife(snapshot, now())) return undefined
    const forgetAt = endOfLife + fileTtlMs
    try {
      const record = { kind: 'final', snapshot: { ...snapshot, endOfLife }, forgetAt } as const
      const seenAt = await firstSeenAt(ref, snapshot)
      return remember(ref, await results.put(ref, record, seenAt))
    } catch (error) {
      observer.storeFailed('results.put', error)
      return undefined
    }
  }

  /**
   * Whether it was observed in the last minute. After the clock was set back, older observations
   * lie in the future. They are not young, because their age is unknown.
   */
  const isYoung = ({ observedAt }: Snapshot): boolean => {
    const ageMs = now() - observedAt
    return ageMs >= 0 && ageMs < SHORT_LIFE_MS
  }

  const peek: Cache['peek'] = (ref, at = now()) => {
    const record = finals.get(ref)
    return record !== undefined && !isPastLife(record.snapshot, at) ? shown(record) : undefined
  }

  /** Repeats for a minute an answer that is neither pending nor kept as final. */
  const brief = (ref: ExportRef): Kept | undefined => {
    const known = latest.get(ref)
    if (known === undefined || isPending(known.snapshot)) return undefined
    if (isFinal(known.snapshot) && !cameTooLate(known.snapshot)) return undefined
    if (!isYoung(known.snapshot)) return undefined
    return { ...known, keptUntil: known.snapshot.observedAt + SHORT_LIFE_MS }
  }

  const lookupMany: Cache['lookupMany'] = async (refs) => {
    const known = new Map<ExportRef, Known>(refs.map((ref) => [ref, peek(ref) ?? brief(ref)]))
    const unknown = refs.filter((ref) => known.get(ref) === undefined)
    await inSlices(unknown, async (slice) => {
      const records = await stored(slice)
      for (const [index, ref] of slice.entries()) known.set(ref, knownFrom(records[index]))
    })
    return refs.map((ref) => known.get(ref))
  }

  return {
    peek,
    lookupMany,
    lookup: async (ref) => {
      const [known] = await lookupMany([ref])
      if (known instanceof Problem) throw known
      return known
    },
    hasSeen: (ref) => latest.get(ref) !== undefined,
    newest: (ref) => latest.get(ref)?.snapshot,
    stale: (ref) => {
      const known = latest.get(ref)
      return known !== undefined && isPending(known.snapshot) && isYoung(known.snapshot)
        ? known
        : undefined
    },
    keep: async (ref, snapshot) => {
      const record = isFinal(snapshot) ? await put(ref, snapshot) : (await stored([ref]))[0]
      if (record?.kind === 'final') {
        latest.forget(ref)
        return shown(record)
      }
      if (record?.kind === 'expired') {
        latest.forget(ref)
        throw expired()
      }
      // lemlist gives it now, for another minute. The one from before is over and would win.
      if (isFinal(snapshot) && cameTooLate(snapshot)) latest.forget(ref)
      const known = latest.set(ref, snapshot, 'here')
      // Instead of an undocumented word it may be a newer pending status of another replica.
      if (isPending(snapshot) || isPending(known.snapshot)) return known
      if (isFinal(snapshot) && !isPastLife(snapshot, now())) return known
      observer.drift(isFinal(snapshot) ? 'past-life' : 'unknown-state')
      return { ...known, keptUntil: snapshot.observedAt + SHORT_LIFE_MS }
    },
  }
}

const shown = ({ snapshot }: FinalRecord): Kept => ({
  snapshot,
  keptUntil: snapshot.endOfLife,
  firstSeenAt: snapshot.observedAt,
})

const knownFrom = (record: ResultRecord | undefined): Known => {
  if (record?.kind === 'final') return shown(record)
  if (record?.kind === 'timed-out') return timedOut()
  return record?.kind === 'expired' ? expired() : undefined
}
