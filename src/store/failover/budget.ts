import { performance } from 'node:perf_hooks'
import type { Budget } from '../../exports/ports.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import type { FailoverOptions, Switch } from './switch.ts'

/** Nothing leaves: what it takes to see that. */
const QUIET_PATIENCE_MS = 100
/** With a share of the calls nobody is kept waiting noticeably longer than with all of them. */
const AWAY_PATIENCE_MS = 400

export interface FailoverBudget extends Budget {
  goAway(replicas: number): void
  /** Tells Redis what lemlist asked for while it was away. */
  restore(): Promise<void>
  comeBack(): void
}

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
): FailoverBudget => {
  let here = createSlidingWindow({ ...limits, calls: 1 })
  let quietUntil = 0
  /** What lemlist asked for outlives every switch. One for each account of the configuration. */
  const pausedUntil = new Map<string, number>()

  const pauseMs = (account: string): number => (pausedUntil.get(account) ?? 0) - performance.now()
  /** The next whole millisecond after what is waited for; 0 when nothing is. */
  const restMs = (account: string): number => {
    const ms = Math.max(quietUntil - performance.now(), pauseMs(account))
    return ms > 0 ? Math.floor(ms) + 1 : 0
  }

  return {
    take: async (account) => {
      if (restMs(account) > 0) return restMs(account)
      const waitMs = await either(
        () => primary.take(account),
        async () => restMs(account) || here.take(account),
      )
      // Redis may have gone away meanwhile, for this call or for another one.
      return restMs(account) || waitMs
    },
    pause: async (account, ms) => {
      if (ms > pauseMs(account)) pausedUntil.set(account, performance.now() + ms)
      if (!isUp()) return
      await either(
        () => primary.pause(account, ms),
        async () => {},
      )
    },
    patienceMs: () => {
      if (quietUntil > performance.now()) return QUIET_PATIENCE_MS
      return isUp() ? Number.POSITIVE_INFINITY : AWAY_PATIENCE_MS
    },
    goAway: (replicas) => {
      const calls = shareOf(limits.calls + reserve, reserve, replicas)
      here = createSlidingWindow({ ...limits, calls })
      quietUntil = performance.now() + limits.windowMs
    },
    restore: async () => {
      for (const account of pausedUntil.keys()) {
        if (pauseMs(account) > 0) await primary.pause(account, pauseMs(account))
      }
    },
    comeBack: () => {
      quietUntil = performance.now() + limits.windowMs
    },
  }
}

/** Pacing divides the window by this, as the local window does. */
const QUARTERS = 4

/**
 * Calls of one replica while all of them are without Redis: together they keep the limit also when what
 * leaves in one window arrives with the first quarter of the next. Beyond ten replicas that cannot be:
 * each has one call.
 */
export const shareOf = (limit: number, reserve: number, replicas: number): number => {
  let calls = Math.max(1, Math.min(reserve, Math.floor(limit / Math.max(1, replicas))))
  const arriving = () => replicas * (calls + Math.max(1, Math.floor(calls / QUARTERS)))
  while (calls > 1 && arriving() > limit) calls -= 1
  return calls
}
