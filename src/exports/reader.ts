import { performance } from 'node:perf_hooks'
import { Problem } from '../problems.ts'
import { type Cache, type Kept, timedOut } from './cache.ts'
import { type ExportRef, keyOf } from './export.ts'
import type { Look, Upstream } from './ports.ts'
import { createSingleFlight } from './single-flight.ts'

/** A status and how the gateway came by it. `stale`: lemlist is in trouble, this is what it last said. */
export interface Reading extends Kept {
  readonly how: 'hit' | 'miss' | 'collapsed' | 'stale'
}

export interface Reader {
  /** A final answer held in memory: the shortest way. */
  peek(ref: ExportRef): Reading | undefined
  /** The cached answer, else what lemlist says now. @throws Problem */
  read(ref: ExportRef): Promise<Reading>
  /** A look at lemlist, shared with whoever looks at the same time. @throws Problem */
  refresh(ref: ExportRef): Promise<Reading>
}

export interface ReaderOptions {
  readonly upstream: Upstream
  readonly cache: Cache
  /** How long a caller stands in line for lemlist, milliseconds. */
  readonly patienceMs: number
}

interface Flight {
  readonly look: Look
  readonly answer: Promise<Kept>
}

/** Trouble of lemlist that passes; any other problem is an answer. */
const PASSING: ReadonlySet<string> = new Set([
  'budget-exhausted',
  'upstream-unavailable',
  'upstream-timeout',
])

/** Reads exports: from the cache what is final, from lemlist the rest, in one call for all who ask at once. */
export const createReader = ({ upstream, cache, patienceMs }: ReaderOptions): Reader => {
  const flights = createSingleFlight<Flight>()

  const takeOff = (ref: ExportRef): Flight => {
    const look = upstream.status(ref, turn(patienceMs))
    const answer = look.answer.then(
      (snapshot) => cache.keep(ref, snapshot),
      (error) => {
        const gone = error instanceof Problem && error.code === 'export-not-found'
        throw gone && cache.stale(ref) !== undefined ? timedOut() : error
      },
    )
    return { look, answer }
  }

  /** Rejects when the look still stands in line after this caller's patience; the look goes on. */
  const patiently = async ({ look, answer }: Flight): Promise<Kept> => {
    const outOfPatience = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      if (look.isWaiting()) outOfPatience.reject(noSlot())
    }, patienceMs)
    try {
      return await Promise.race([answer, outOfPatience.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  const refresh: Reader['refresh'] = async (ref) => {
    const key = keyOf(ref)
    const joined = flights.current(key)
    joined?.look.hurry(turn(patienceMs))
    const flight =
      joined ??
      flights.start(key, () => {
        const work = takeOff(ref)
        return { work, settled: work.answer }
      })
    try {
      return { ...(await patiently(flight)), how: joined === undefined ? 'miss' : 'collapsed' }
    } catch (error) {
      const known = isPassing(error) ? cache.stale(ref) : undefined
      if (known === undefined) throw error
      return { ...known, how: 'stale' }
    }
  }

  return {
    peek: (ref) => asHit(cache.peek(ref)),
    read: async (ref) => asHit(await cache.lookup(ref)) ?? refresh(ref),
    refresh,
  }
}

const isPassing = (error: unknown): boolean => error instanceof Problem && PASSING.has(error.code)

const asHit = (kept: Kept | undefined): Reading | undefined => kept && { ...kept, how: 'hit' }

/** A caller is due when it arrives. */
const turn = (patienceMs: number) => {
  const due = performance.now()
  return { due, giveUpAt: due + patienceMs }
}

const noSlot = (): Problem =>
  new Problem('budget-exhausted', 'No call to lemlist was free in time.', { retryAfterMs: 1_000 })
