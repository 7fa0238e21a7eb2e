import { performance } from 'node:perf_hooks'
import { LRUCache } from 'lru-cache'
import { Problem } from '../../problems.ts'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import { isUnknown, timedOut } from '../ends.ts'
import { type ExportRef, isFinal, type Kept, keyOf } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import type { CallClass } from '../schedule.ts'
import type { Cache, Known } from './cache.ts'
import type { Gate } from './gate.ts'
import type { Looker } from './looker.ts'
import { createPatientLook } from './patience.ts'

/**
 * A status, and how the gateway got it: from the cache (`hit`), by a new look at lemlist (`miss`),
 * by sharing the look of another caller (`collapsed`), or from lemlist's last answer while lemlist
 * is in trouble (`stale`).
 */
export interface Reading extends Kept {
  readonly how: 'hit' | 'miss' | 'collapsed' | 'stale'
  /** Why the status is `stale`. */
  readonly trouble?: Problem
}

export interface Reader {
  /**
   * Returns a final answer from memory. This is the fastest way.
   *
   * @param at epoch milliseconds. Default: now.
   */
  peek(ref: ExportRef, at?: number): Reading | undefined
  /**
   * Returns the cached answer without asking lemlist.
   * @throws Problem when the export is over without a status that can be shown
   */
  lookup(ref: ExportRef): Promise<Reading | undefined>
  /**
   * The same for many exports, with one answer for each, in their order. A problem is returned and
   * not thrown.
   */
  lookupMany(refs: readonly ExportRef[]): Promise<(Reading | Problem | undefined)[]>
  /**
   * Returns the cached answer, or else what lemlist says now.
   * @throws Problem
   */
  read(ref: ExportRef, options?: ReadOptions): Promise<Reading>
}

export interface ReadOptions {
  /**
   * Who reads. Looks at ids that nobody has seen before are counted for each caller. Without it
   * nothing is counted.
   */
  readonly callerId?: string | undefined
  /**
   * Says, while the call waits in line, whether somebody still wants it. Without this function the
   * call is made even when the caller has gone.
   */
  readonly isWanted?: () => boolean
}

export interface ReaderOptions {
  readonly cache: Cache
  readonly looker: Looker
  readonly follower: Pick<Follower, 'note' | 'standing'>
  readonly gate: Gate
  /** Whether other replicas may know more, because the store that they share is or was away. */
  readonly isAlone: () => boolean
  /**
   * Whether a read may ask lemlist now, or wait for somebody who asks. Called once for each read
   * that the cache cannot answer. Default: always.
   */
  readonly mayLook?: (() => boolean) | undefined
  readonly bounds?: Bounds | undefined
  /** How long a caller waits in line for lemlist, milliseconds. */
  readonly patienceMs: number
  /** How long it makes sense to wait for the budget now, milliseconds. No caller waits longer. */
  readonly budgetPatienceMs?: () => number
}

/**
 * lemlist may have been wrong when it did not know an export. So a read asks lemlist again, but at
 * most once in this time for each export.
 */
const DOUBT_MS = 60_000
/** For so many exports this replica remembers when it has asked lemlist again. */
const MAX_DOUBTED = 10_000
/** Trouble with lemlist that will pass. Any other problem is an answer of its own. */
const PASSING: ReadonlySet<string> = new Set([
  'budget-exhausted',
  'upstream-unavailable',
  'upstream-timeout',
])

/** Reads exports for callers: final ones from the cache, all others from lemlist. */
export const createReader = (options: ReaderOptions): Reader => {
  const {
    cache,
    looker,
    follower,
    gate,
    isAlone,
    mayLook = () => true,
    bounds = UNMEASURED,
    budgetPatienceMs = () => Number.POSITIVE_INFINITY,
  } = options
  const doubted = new LRUCache<string, number>({ max: MAX_DOUBTED })
  bounds('doubted-ends', () => doubted.size / MAX_DOUBTED)

  const patienceMs = (): number => Math.min(budgetPatienceMs(), options.patienceMs)
  const lookPatiently = createPatientLook({ looker, follower, patienceMs })

  const classOf = async (ref: ExportRef): Promise<CallClass> => {
    if (cache.hasSeen(ref)) return 'watched'
    return (await follower.standing(ref)) === 'none' ? 'unconfirmed' : 'watched'
  }

  const wasPending = async (ref: ExportRef): Promise<boolean> =>
    cache.stale(ref) !== undefined || (await follower.standing(ref)) === 'followed'

  const refresh = async (
    ref: ExportRef,
    { callerId, isWanted }: ReadOptions,
    came?: number,
  ): Promise<Reading> => {
    const callClass = await classOf(ref)
    const due = came ?? performance.now()
    const wanted = { ...(isWanted && { isWanted }) }
    try {
      if (callerId !== undefined && callClass === 'unconfirmed' && !looker.landing(ref)) {
        const wait = gate.pass(ref, callerId, patienceMs())
        if (wait !== undefined) {
          await wait
          // Somebody else may have looked at it meanwhile.
          return await answer(ref, wanted, due)
        }
      }
      return await lookPatiently(ref, { callClass, due, ...wanted })
    } catch (error) {
      if (isUnknown(error) && (await wasPending(ref))) throw timedOut()
      if (!isPassing(error)) throw error
      const known = cache.stale(ref)
      // Another replica may have shown the end of the export already.
      if (known === undefined || isAlone()) throw error
      return { ...known, how: 'stale', trouble: error }
    }
  }

  /**
   * Asks lemlist again about an export that has timed out: lemlist did not know it three times in a
   * row. Only a final status that lemlist tells now beats that verdict.
   */
  const doubt = async (
    ref: ExportRef,
    verdict: Problem,
    { callerId: _, ...wanted }: ReadOptions,
  ): Promise<Reading> => {
    const key = keyOf(ref)
    const lastAt = doubted.get(key) ?? Number.NEGATIVE_INFINITY
    if (performance.now() - lastAt < DOUBT_MS) throw verdict
    doubted.set(key, performance.now())
    const reading = await refresh(ref, wanted).catch(() => undefined)
    if (reading === undefined || !isFinal(reading.snapshot)) throw verdict
    return reading
  }

  /** @param came when the caller came, if he has waited since then, monotonic milliseconds */
  const answer = async (ref: ExportRef, options: ReadOptions, came?: number): Promise<Reading> => {
    const [known] = await cache.lookupMany([ref])
    if (!(known instanceof Problem)) {
      if (known !== undefined) return { ...known, how: 'hit' }
      // Whoever has waited was let in when he came.
      if (came === undefined && !mayLook()) throw overloaded()
      return refresh(ref, options, came)
    }
    if (known.code === 'export-timed-out') return doubt(ref, known, options)
    throw known
  }

  const lookup: Reader['lookup'] = async (ref) => asHit(await cache.lookup(ref))

  return {
    peek: (ref, at) => asHit(cache.peek(ref, at)),
    lookup,
    lookupMany: async (refs) => (await cache.lookupMany(refs)).map(asKnownHit),
    read: (ref, options = {}) => answer(ref, options),
  }
}

/** The level of the load falls by one step in 1.5 s. */
const OVERLOAD_RETRY_MS = 3_000

const overloaded = (): Problem =>
  new Problem(
    'overloaded',
    'The gateway has more to do than it can, and asks lemlist for nobody.',
    {
      retryAfterMs: OVERLOAD_RETRY_MS,
      notSent: true,
    },
  )

const isPassing = (error: unknown): error is Problem =>
  error instanceof Problem && PASSING.has(error.code)

const asHit = (kept: Kept | undefined): Reading | undefined => {
  if (kept === undefined) return undefined
  // Field by field, because each cached answer needs one, and a copy of all fields costs more.
  const { snapshot, keptUntil, firstSeenAt } = kept
  return { snapshot, keptUntil, firstSeenAt, how: 'hit' }
}

const asKnownHit = (known: Known) => (known instanceof Problem ? known : asHit(known))
