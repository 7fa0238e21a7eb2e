import { performance } from 'node:perf_hooks'
import { Problem } from '../../problems.ts'
import { isUnknown, timedOut } from '../ends.ts'
import type { ExportRef, Kept } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import type { Cache } from './cache.ts'
import type { Flight, Looker } from './looker.ts'

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
  /** Returns a final answer from memory. This is the fastest way. */
  peek(ref: ExportRef): Reading | undefined
  /**
   * Returns the cached answer without asking lemlist.
   * @throws Problem when the export is over without a status that can be shown
   */
  lookup(ref: ExportRef): Promise<Reading | undefined>
  /** Returns the cached answer, or else what lemlist says now. @throws Problem */
  read(ref: ExportRef): Promise<Reading>
}

export interface ReaderOptions {
  readonly cache: Cache
  readonly looker: Looker
  readonly follower: Pick<Follower, 'note' | 'standing'>
  /** How long a caller waits in line for lemlist, milliseconds. */
  readonly patienceMs: number
  /** How long it makes sense to wait for the budget now, milliseconds. No caller waits longer. */
  readonly budgetPatienceMs?: () => number
}

/** How often a caller in line checks whether it still makes sense to wait for the budget. */
const LOOK_AGAIN_MS = 100
/** Trouble with lemlist that will pass. Any other problem is an answer of its own. */
const PASSING: ReadonlySet<string> = new Set([
  'budget-exhausted',
  'upstream-unavailable',
  'upstream-timeout',
])

/** Reads exports for callers: final ones from the cache, all others from lemlist. */
export const createReader = (options: ReaderOptions): Reader => {
  const { cache, looker, follower, budgetPatienceMs = () => Number.POSITIVE_INFINITY } = options

  const patience = (): number => Math.min(budgetPatienceMs(), options.patienceMs)

  /**
   * Makes or joins a look for a caller. The caller that starts the look also tells the follower, so
   * that the export is polled until it is final.
   */
  const look = (ref: ExportRef): { flight: Flight; joined: boolean } => {
    const due = performance.now()
    const { flight, joined } = looker.look(ref, { due, giveUpAt: due + patience() })
    if (joined) return { flight, joined }
    const answer = flight.answer.then(async (kept) => {
      await follower.note(ref, kept)
      return kept
    })
    return { flight: { ...flight, answer }, joined }
  }

  /** Rejects when the look still waits in line after this caller's patience. The look goes on. */
  const patiently = async ({ look, answer }: Flight): Promise<Kept> => {
    const outOfPatience = Promise.withResolvers<never>()
    const began = performance.now()
    let timer: NodeJS.Timeout | undefined
    const wait = () => {
      const leftMs = began + patience() - performance.now()
      if (leftMs > 0) timer = setTimeout(wait, Math.min(leftMs, LOOK_AGAIN_MS))
      else if (look.isWaiting()) outOfPatience.reject(noSlot())
    }
    wait()
    try {
      return await Promise.race([answer, outOfPatience.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  const wasPending = async (ref: ExportRef): Promise<boolean> =>
    cache.stale(ref) !== undefined || (await follower.standing(ref)) === 'followed'

  const refresh = async (ref: ExportRef): Promise<Reading> => {
    const { flight, joined } = look(ref)
    try {
      return { ...(await patiently(flight)), how: joined ? 'collapsed' : 'miss' }
    } catch (error) {
      if (isUnknown(error) && (await wasPending(ref))) throw timedOut()
      if (!isPassing(error)) throw error
      const known = cache.stale(ref)
      if (known === undefined) throw error
      return { ...known, how: 'stale', trouble: error }
    }
  }

  const lookup: Reader['lookup'] = async (ref) => asHit(await cache.lookup(ref))

  return {
    peek: (ref) => asHit(cache.peek(ref)),
    lookup,
    read: async (ref) => (await lookup(ref)) ?? refresh(ref),
  }
}

const isPassing = (error: unknown): error is Problem =>
  error instanceof Problem && PASSING.has(error.code)

const asHit = (kept: Kept | undefined): Reading | undefined => kept && { ...kept, how: 'hit' }

const noSlot = (): Problem =>
  new Problem('budget-exhausted', 'No call to lemlist was free in time.', { retryAfterMs: 1_000 })
