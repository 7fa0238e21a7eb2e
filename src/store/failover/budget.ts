import { performance } from 'node:perf_hooks'
import type { Budget } from '../../exports/ports.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import type { FailoverOptions, Switch } from './switch.ts'

/** Right after a switch hardly any call may leave. Callers wait only until the gateway notices that. */
const QUIET_PATIENCE_MS = 100
/** While Redis is away, few calls may leave. Callers must not wait noticeably longer for that. */
const AWAY_PATIENCE_MS = 400

export interface FailoverBudget extends Budget {
  goAway(replicas: number): void
  /** Tells Redis about the pauses that lemlist asked for while Redis was away. */
  restore(): Promise<void>
  comeBack(replicas: number): void
}

/**
 * The budget in Redis. While Redis is away, this replica uses its share of the budget. The share
 * keeps the limit when only this replica is cut off: the others use the limit minus the reserve,
 * and this one uses at most the reserve. It also keeps the limit when all replicas are cut off, as
 * each uses its part of the limit. In the window after each switch no replica can know what the
 * others have just spent. It spends only its part of the reserve then, for callers: with the limit
 * minus the reserve, which the others may have spent, that is the limit.
 */
export const createFailoverBudget = (
  primary: Budget,
  { either, isUp }: Switch,
  { limits, reserve }: Pick<FailoverOptions, 'limits' | 'reserve'>,
): FailoverBudget => {
  let share = 1
  let here = createSlidingWindow({ ...limits, calls: share })
  let quietUntil = 0
  const spareOf = (replicas: number): number => Math.floor(reserve / Math.max(1, replicas))
  /** How many calls may leave in the window after a switch. */
  let spare = spareOf(1)
  /** When calls left that Redis has not counted, and which of them left in the window after a switch. */
  const own = createCallLog(limits.windowMs)
  const spared = createCallLog(limits.windowMs)
  /** The pauses that lemlist asked for, which outlive each switch. One per configured account. */
  const pausedUntil = new Map<string, number>()

  const pauseMs = (account: string): number => (pausedUntil.get(account) ?? 0) - performance.now()
  /** Returns whole milliseconds until the quiet window and the pause are over; 0 when they are. */
  const restMs = (account: string): number => {
    const ms = Math.max(quietUntil - performance.now(), pauseMs(account))
    return ms > 0 ? Math.floor(ms) + 1 : 0
  }

  /** Ends the questions that Redis has not answered yet when it goes away. */
  const unanswered = new Set<() => void>()

  /**
   * Rejects when Redis goes away meanwhile. Another call may have found that out first. All calls
   * stand in line behind this question, and none of them may wait for its own deadline.
   */
  const untilAway = async <T>(question: Promise<T>): Promise<T> => {
    const away = Promise.withResolvers<never>()
    const giveUp = (): void => away.reject(new Error('Redis is away'))
    unanswered.add(giveUp)
    try {
      return await Promise.race([question, away.promise])
    } finally {
      unanswered.delete(giveUp)
    }
  }

  const takeHere = async (account: string): Promise<number> => {
    const waitMs = await here.take(account)
    if (waitMs === 0) own.add(account)
    return waitMs
  }

  /** Whether a call whose time has come may leave in the window after a switch, and counts it. */
  const takeSpare = (account: string): boolean => {
    if (pauseMs(account) > 0) return false
    // Switches to and fro come closer together than a window: what left before counts, too.
    if (spared.count(account) >= spare || own.count(account) >= Math.max(share, spare)) return false
    here.count(account, performance.now())
    own.add(account)
    spared.add(account)
    return true
  }

  /**
   * The answer while the window after a switch, or a pause, is not over. It may end just now, but
   * only a call that was counted may be told 0.
   */
  const takeQuiet = (account: string, isDue: () => boolean): number =>
    isDue() && takeSpare(account) ? 0 : Math.max(1, restMs(account))

  return {
    take: async (account, isDue = () => false) => {
      if (restMs(account) > 0) return takeQuiet(account, isDue)
      let isHere = false
      const waitMs = await either(
        () => untilAway(primary.take(account)),
        async () => {
          isHere = true
          return restMs(account) > 0 ? takeQuiet(account, isDue) : takeHere(account)
        },
      )
      // Redis may have gone away meanwhile, for another call. Then what it said no longer counts.
      return isHere || restMs(account) === 0 ? waitMs : takeQuiet(account, isDue)
    },
    isScarce: () => quietUntil > performance.now(),
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
      share = shareOf(limits.calls + reserve, reserve, replicas)
      spare = spareOf(replicas)
      here = createSlidingWindow({ ...limits, calls: share })
      own.each((account, at) => here.count(account, at))
      quietUntil = performance.now() + limits.windowMs
      for (const giveUp of unanswered) giveUp()
    },
    restore: async () => {
      for (const account of pausedUntil.keys()) {
        if (pauseMs(account) > 0) await primary.pause(account, pauseMs(account))
      }
    },
    comeBack: (replicas) => {
      // A replica that had no Redis at its start learns only now how many there are.
      spare = spareOf(replicas)
      quietUntil = performance.now() + limits.windowMs
    },
  }
}

/** When the calls of the last window left, for each account. `take` bounds how many there are. */
const createCallLog = (windowMs: number) => {
  const logs = new Map<string, number[]>()
  const recent = (account: string): number[] => {
    const from = performance.now() - windowMs
    return (logs.get(account) ?? []).filter((at) => at >= from)
  }
  return {
    add: (account: string) => void logs.set(account, [...recent(account), performance.now()]),
    count: (account: string) => recent(account).length,
    each: (tell: (account: string, at: number) => void) => {
      for (const account of logs.keys()) for (const at of recent(account)) tell(account, at)
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
