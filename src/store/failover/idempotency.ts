import { LRUCache } from 'lru-cache'
import type { Idempotency } from '../../exports/ports.ts'
import type { RedisIdempotency } from '../redis/idempotency.ts'
import { finished, givenUp, mayBeSetFree, taken, type Work, workAt } from '../work.ts'
import { createBacklog } from './backlog.ts'
import type { Restored, Switch } from './switch.ts'

/** What this replica can give back to a Redis that has lost it. */
const MAX_BYTES = 32 * 1024 * 1024
/** What a key costs besides its answer, roughly. */
const OVERHEAD_BYTES = 500

/** `free`: it may have been taken for us in Redis, and nothing was begun. */
type Held = Work | { readonly state: 'free' }

const bytesOf = (held: Held): number =>
  OVERHEAD_BYTES + (held.state === 'finished' ? held.answer.byteLength : 0)

/**
 * `Idempotency` on Redis. Without it no key is taken, since nobody could promise that it is taken once;
 * what became of those that were taken here is kept for a Redis that comes back, even empty.
 */
export const createIdempotencyJournal = (
  primary: RedisIdempotency,
  { either, isUp }: Switch,
  now: () => number,
): Idempotency & Restored => {
  const held = new LRUCache<string, Held>({ maxSize: MAX_BYTES, sizeCalculation: bytesOf })

  const restore = async (key: string): Promise<void> => {
    const known = held.get(key)
    if (known === undefined) return
    if (known.state !== 'free') return primary.restore(key, known)
    await primary.release(key)
    held.delete(key)
  }
  const backlog = createBacklog((keys) => Promise.all(keys.map(restore)))

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
      if (!isUp()) throw new Error('Redis is away: no key can be taken')
      const begun = await either(
        () => primary.begin(key, until),
        async () => {
          // Should Redis do it all the same, later: nobody would ever finish it.
          if (workOf(key) === undefined) held.set(key, { state: 'free' })
          backlog.add(key)
          throw new Error('Redis went away: whether the key was taken is not known')
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
