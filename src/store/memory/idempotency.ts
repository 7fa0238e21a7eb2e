import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import type { Idempotency } from '../../exports/ports.ts'
import {
  finished,
  givenUp,
  MAX_KEYS,
  mayBeSetFree,
  TooManyKeys,
  taken,
  toldOf,
  type Work,
  workAt,
} from '../work.ts'

export interface MemoryIdempotencyOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** With more keys `begin` rejects. To drop a key before its time would allow a second start. */
  readonly maxKeys?: number | undefined
  readonly bounds?: Bounds | undefined
}

export interface MemoryIdempotency extends Idempotency {
  /** Drops the keys whose time is over. */
  sweep(): void
}

/**
 * `Idempotency` in a map. A restart forgets all keys, so nobody knows then which starts were made.
 * An operator who must not start twice over a restart needs another store.
 */
export const createMemoryIdempotency = ({
  now,
  maxKeys = MAX_KEYS,
  bounds = UNMEASURED,
}: MemoryIdempotencyOptions): MemoryIdempotency => {
  const works = new Map<string, Work>()
  bounds('idempotency-keys', () => works.size / maxKeys)

  const change = (key: string, next: (work: Work) => Work): void => {
    const work = workAt(works.get(key), now())
    if (work !== undefined) works.set(key, next(work))
  }

  const sweep = (): void => {
    const time = now()
    for (const [key, work] of works) if (workAt(work, time) === undefined) works.delete(key)
  }

  return {
    // Nothing else runs between `get` and `set`, because there is no `await` in between.
    async begin(key, until) {
      const time = now()
      const work = workAt(works.get(key), time)
      if (work !== undefined) return toldOf(work, time)
      if (works.size >= maxKeys) sweep()
      if (works.size >= maxKeys) throw new TooManyKeys(maxKeys)
      works.set(key, taken(until))
      return { state: 'yours' }
    },
    async finish(key, answer) {
      change(key, (work) => finished(work, answer))
    },
    async giveUp(key) {
      change(key, givenUp)
    },
    async forget(key) {
      const work = works.get(key)
      if (work !== undefined && mayBeSetFree(work)) works.delete(key)
    },
    sweep,
  }
}
