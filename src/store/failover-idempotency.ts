import type { Idempotency } from '../exports/ports.ts'
import type { Switch } from './failover.ts'

/** Starts that ended while Redis was away: as many as may be under way at once, and then some. */
const MAX_WAITING = 10_000

/**
 * `Idempotency` on Redis. Without it no key is taken, since nobody could promise that it is taken once;
 * how a start ended that was begun before is kept until Redis is back.
 */
export const createIdempotencyJournal = (
  primary: Idempotency,
  { either, isUp }: Switch,
): Idempotency & { size(): number; restore(): Promise<void> } => {
  const waiting: (() => Promise<void>)[] = []

  const later = (work: () => Promise<void>) =>
    either(work, async () => {
      if (waiting.length >= MAX_WAITING) throw new Error('Too many outcomes wait for Redis')
      waiting.push(work)
    })

  return {
    begin: async (key, until) => {
      if (!isUp()) throw new Error('Redis is away: no key can be taken')
      return either(
        () => primary.begin(key, until),
        async () => {
          throw new Error('Redis went away: whether the key was taken is not known')
        },
      )
    },
    finish: (key, answer) => later(() => primary.finish(key, answer)),
    giveUp: (key) => later(() => primary.giveUp(key)),
    forget: (key) => later(() => primary.forget(key)),
    size: () => waiting.length,
    restore: async () => {
      for (let work = waiting[0]; work !== undefined; work = waiting[0]) {
        await work()
        waiting.shift()
      }
    },
  }
}
