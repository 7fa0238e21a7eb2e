import { performance } from 'node:perf_hooks'
import type { Budget } from '../exports/ports.ts'
import type { FailoverOptions, Switch } from './failover.ts'
import { createSlidingWindow } from './sliding-window.ts'

/**
 * The budget on Redis; while it is away, this replica's share of it. The share is right when one replica
 * is cut off (the others have the limit less the reserve, it has at most the reserve) and when all are
 * (each has its part of the limit). At each switch nothing leaves for one whole window: nobody can know
 * what others have just spent.
 */
export const createFailoverBudget = (
  primary: Budget,
  { either, isUp }: Switch,
  { limits, reserve }: Pick<FailoverOptions, 'limits' | 'reserve'>,
): Budget & { goAway(replicas: number): void; comeBack(): void } => {
  let here = createSlidingWindow({ ...limits, calls: 1 })
  let quietUntil = 0

  return {
    take: async (account) => {
      const quietMs = quietUntil - performance.now()
      if (quietMs > 0) return Math.floor(quietMs) + 1
      return either(
        () => primary.take(account),
        () => here.take(account),
      )
    },
    pause: async (account, ms) => {
      await here.pause(account, ms)
      if (isUp())
        await either(
          () => primary.pause(account, ms),
          async () => {},
        )
    },
    rests: () => quietUntil > performance.now(),
    goAway: (replicas) => {
      const part = Math.floor((limits.calls + reserve) / Math.max(1, replicas))
      const calls = Math.max(1, Math.min(reserve, part))
      here = createSlidingWindow({ ...limits, calls })
      quietUntil = performance.now() + limits.windowMs
    },
    comeBack: () => {
      quietUntil = performance.now() + limits.windowMs
    },
  }
}
