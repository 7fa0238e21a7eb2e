import { performance } from 'node:perf_hooks'
import type { Budget } from '../../exports/ports.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import type { FailoverOptions, Switch } from './switch.ts'

/** Right after a switch no call may leave. Callers wait only until the gateway notices that. */
const QUIET_PATIENCE_MS = 100
/** While Redis is away, few calls may leave. Callers must not wait noticeably longer for that. */
const AWAY_PATIENCE_MS = 400

export interface FailoverBudget extends Budget {
  goAway(replicas: number): void
  /** Tells Redis about the pauses that lemlist asked for while Redis was away. */
  restore(): Promise<void>
  comeBack(): void
}

/**
 * The budget in Redis. While Redis is away, this replica uses its share of the budget. The share
 * keeps the limit when only this replica is cut off: the others use the limit minus the reserve,
 * and this one uses at most the reserve. It also keeps the limit when all replicas are cut off, as
 * each uses its part of the limit. After each switch no call leaves for one whole window, because
 * no replica can know what the others have just spent.
 */
export const createFailoverBudget = (
  primary: Budget,
  { either, isUp }: Switch,
  { limits, reserve }: Pick<FailoverOptions, 'limits' | 'reserve'>,
): FailoverBudget => {
  let here = createSlidingWindow({ ...limits, calls: 1 })
  let quietUntil = 0
  /** The pauses that lemlist asked for, which outlive each switch. One per configured account. */
  const pausedUntil = new Map<string, number>()

  const pauseMs = (account: string): number => (pausedUntil.get(account) ?? 0) - performance.now()
  /** Returns whole milliseconds until the quiet window and the pause are over; 0 when they are. */
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
      // Redis may have gone away meanwhile, for this call or another one. Then this call waits too.
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
    pausedMs: async (account) => {
      const here = restMs(account)
      if (here > 0 || !isUp()) return here
      return either(
        () => primary.pausedMs(account),
        async () => restMs(account),
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

/** Pacing divides the window into so many parts, as the sliding window of one process does. */
const QUARTERS = 4

/**
 * Returns the calls of one replica while no replica has Redis. Together the replicas keep the limit
 * even when the calls of one window arrive with those of the first quarter of the next. With
 * lemlist's limit of 20 calls and more than ten replicas the limit cannot be kept, because every
 * replica has at least one call.
 */
export const shareOf = (limit: number, reserve: number, replicas: number): number => {
  let calls = Math.max(1, Math.min(reserve, Math.floor(limit / Math.max(1, replicas))))
  const arriving = () => replicas * (calls + Math.max(1, Math.floor(calls / QUARTERS)))
  while (calls > 1 && arriving() > limit) calls -= 1
  return calls
}
