import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import type { Idempotency } from '../../exports/ports.ts'
import type { RedisIdempotency } from '../redis/idempotency.ts'
import { finished, givenUp, mayBeSetFree, taken, type Work, workAt } from '../work.ts'
import { createBacklog } from './backlog.ts'
import type { Restored, Switch } from './switch.ts'

/** How much this replica remembers, to write it again into a Redis that has lost it. */
const MAX_BYTES = 32 * 1024 * 1024
/** What a key costs besides its answer, roughly. */
const OVERHEAD_BYTES = 500

/** `free`: Redis may have taken the key for this replica, and no work was begun. */
type Held = Work | { readonly state: 'free' }

const bytesOf = (held: Held): number =>
  OVERHEAD_BYTES + (held.state === 'finished' ? held.answer.byteLength : 0)

/**
 * `Idempotency` in Redis. While Redis is away no key is taken, because nobody could promise that a
 * key is taken only once. This replica remembers what became of the keys that it has taken, and
 * writes it to a Redis that comes back, even empty.
 */
export const createIdempotencyJournal = (
  primary: RedisIdempotency,
  { either, isUp }: Switch,
  now: () => number,
  bounds: Bounds = UNMEASURED,
): Idempotency & Restored => {
  const held = new LRUCache<string, Held>({ maxSize: MAX_BYTES, sizeCalculation: bytesOf })
  bounds('starts-for-redis', () => held.calculatedSize / MAX_BYTES)

  const restore = async (key: string): Promise<void> => {
    const known = held.get(key)
    if (known === undefined) return
    if (known.state !== 'free') return primary.restore(key, known)
    await primary.release(key)
    held.delete(key)
  }
  const backlog = createBacklog((keys) => Promise.all(keys.map(restore)), {
    ...{ name: 'starts-to-restore', bounds },
  })

  const workOf = (key: string): Work | undefined => {
    const known = held.get(key)
    return known === undefined || known.state === 'free' ? undefined : workAt(known, now())
  }
  const hold = (key: string, next: (work: Work) => Held): void => {
    const work = workOf(key)
    if (work !== undefined) held.set(key, next(work))
  }
  const tell = (key: string, work: () => Promise<void>): Promise<void> =>
    either(work, async () => backlog.add(key))

  return {
    begin: async (key, until) => {
      const work = taken(until)
      if (!isUp()) throw new Error('Redis is away, so the store can take no key')
      const begun = await either(
        () => primary.begin(key, until),
        async () => {
          // Redis may still take the key later, and nobody would ever finish its work. So the key
          // is freed when Redis is back.
          if (workOf(key) === undefined) held.set(key, { state: 'free' })
          backlog.add(key)
          throw new Error('Redis went away, and nobody knows whether it has taken the key')
        },
      )
      if (begun.state === 'yours') held.set(key, work)
      return begun
    },
    finish: async (key, answer) => {
      hold(key, (work) => finished(work, answer))
      return tell(key, () => primary.finish(key, answer))
    },
    giveUp: async (key) => {
      hold(key, givenUp)
      return tell(key, () => primary.giveUp(key))
    },
    forget: async (key) => {
      hold(key, (work) => (mayBeSetFree(work) ? { state: 'free' } : work))
      return tell(key, () => primary.forget(key))
    },
    isSettled: backlog.isEmpty,
    settle: backlog.flush,
    recall: () => {
      for (const key of held.keys()) backlog.add(key)
    },
  }
}
