import type { Budget, BudgetLimits } from '../../exports/ports.ts'
import type { Redis } from './client.ts'

interface RedisBudgetOptions {
  readonly limits: BudgetLimits
  /** Monotonic milliseconds in place of the clock of Redis: for tests that move time. */
  readonly clock?: (() => number) | undefined
}

/** Pacing divides the window by this, as the local window does. */
const QUARTERS = 4

/** The sliding window of a lemlist key for all replicas, by the clock of Redis. */
export const createRedisBudget = (
  { commands, run }: Redis,
  { limits: { calls, windowMs }, clock }: RedisBudgetOptions,
): Budget => {
  const paced = Math.max(1, Math.floor(calls / QUARTERS))
  const ask = (account: string, values: readonly (number | string)[]): Promise<unknown> =>
    run(() =>
      commands.takeSlot(
        [`calls:${account}`, `pause:${account}`],
        [...values.map(String), clock === undefined ? '' : String(clock())],
      ),
    )
  return {
    take: async (account) => {
      const waitMs = await ask(account, ['take', calls, windowMs, paced])
      if (typeof waitMs !== 'number') throw new Error('Redis answered something that is no wait')
      return waitMs
    },
    pause: async (account, ms) => {
      if (ms > 0) await ask(account, ['pause', Math.min(ms, LONGEST_PAUSE_MS), '', ''])
    },
  }
}

/** lemlist is never obeyed for longer than a minute, and a little jitter. The script knows it too. */
const LONGEST_PAUSE_MS = 600_000
