import { performance } from 'node:perf_hooks'
import { Problem } from '../../problems.ts'
import { isUnknown, timedOut } from '../ends.ts'
import type { ExportRef, Kept } from '../export.ts'
import type { Follower } from '../following/follower.ts'
import type { Cache } from './cache.ts'
import type { Flight, Looker } from './looker.ts'

/** A status and how the gateway came by it. `stale`: lemlist is in trouble, this is what it last said. */
export interface Reading extends Kept {
  readonly how: 'hit' | 'miss' | 'collapsed' | 'stale'
  /** Why it is `stale`. */
  readonly trouble?: Problem
}

export interface Reader {
  /** A final answer held in memory: the shortest way. */
  peek(ref: ExportRef): Reading | undefined
  /** The cached answer without asking lemlist. @throws Problem when it is an end other than a status */
  lookup(ref: ExportRef): Promise<Reading | undefined>
  /** The cached answer, else what lemlist says now. @throws Problem */
  read(ref: ExportRef): Promise<Reading>
}

export interface ReaderOptions {
  readonly cache: Cache
  readonly looker: Looker
  readonly follower: Pick<Follower, 'note' | 'standing'>
  /** How long a caller stands in line for lemlist, milliseconds. */
  readonly patienceMs: number
  /** How long the budget is worth waiting for now, milliseconds: nobody is kept waiting for longer. */
  readonly budgetPatienceMs?: () => number
}

/** How soon a caller who stands in line learns that the budget is not worth waiting for any more. */
const LOOK_AGAIN_MS = 100
/** Trouble of lemlist that passes; any other problem is an answer. */
const PASSING: ReadonlySet<string> = new Set([
  'budget-exhausted',
  'upstream-unavailable',
  'upstream-timeout',
])

/** Reads exports for callers: from the cache what is final, from lemlist the rest. */
export const createReader = (options: ReaderOptions): Reader => {
  const { cache, looker, follower, budgetPatienceMs = () => Number.POSITIVE_INFINITY } = options

  const patience = (): number => Math.min(budgetPatienceMs(), options.patienceMs)

  /** A look for a caller. Whoever takes off also sees to it that the export is followed from now on. */
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

  /** Rejects when the look still stands in line after this caller's patience; the look goes on. */
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
