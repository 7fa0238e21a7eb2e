import { type ExportRef, type Kept, keyOf } from '../export.ts'
import type { Look, Observer, Turn, Updates, Upstream } from '../ports.ts'
import type { Cache } from './cache.ts'
import { createSingleFlight } from './single-flight.ts'

/** A look that is under way, and its result. */
export interface Flight {
  readonly look: Look
  /** @throws Problem */
  readonly answer: Promise<Kept>
}

export interface Looker {
  /** Joins the look that is under way, or starts one. A joined look takes the earlier turn. */
  look(ref: ExportRef, turn: Turn): { readonly flight: Flight; readonly joined: boolean }
  /**
   * Resolves when the look that is under way is over and everybody was told; undefined when none is
   * under way. Never rejects.
   */
  landing(ref: ExportRef): Promise<unknown> | undefined
}

interface LookerOptions {
  readonly upstream: Pick<Upstream, 'status'>
  readonly cache: Cache
  readonly updates: Updates
  readonly observer: Observer
}

/**
 * The only place where the gateway asks lemlist for a status. Everybody who wants the same export
 * at the same time shares one look. The cache keeps its result, and everybody who watches is told.
 */
export const createLooker = ({ upstream, cache, updates, observer }: LookerOptions): Looker => {
  const flights = createSingleFlight<Flight>()

  const tell = async (ref: ExportRef, kept: Kept): Promise<Kept> => {
    await updates
      .publish(ref, { kind: 'status', snapshot: kept.snapshot })
      .catch((error) => observer.storeFailed('updates.publish', error))
    return kept
  }

  return {
    landing: (ref) => flights.current(keyOf(ref))?.answer.catch(() => {}),
    look: (ref, turn) => {
      const key = keyOf(ref)
      const underWay = flights.current(key)
      if (underWay !== undefined) {
        underWay.look.hurry(turn)
        return { flight: underWay, joined: true }
      }
      const flight = flights.start(key, () => {
        const look = upstream.status(ref, turn)
        const answer = look.answer
          .then((snapshot) => cache.keep(ref, snapshot))
          .then((kept) => tell(ref, kept))
        return { work: { look, answer }, settled: answer }
      })
      return { flight, joined: false }
    },
  }
}
