import type { Budget, BudgetLimits } from '../../exports/ports.ts'
import type { Redis } from './client.ts'

interface RedisBudgetOptions {
  readonly limits: BudgetLimits
  /** Monotonic milliseconds, used in place of the clock of Redis by tests that move time. */
  readonly clock?: (() => number) | undefined
}

/** Pacing divides the window into so many parts, as the sliding window of one process does. */
const QUARTERS = 4

/** The sliding window of each lemlist key, shared by all replicas, by the clock of Redis. */
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
  const wait = async (account: string, values: readonly (number | string)[]): Promise<number> => {
    const waitMs = await ask(account, values)
    if (typeof waitMs !== 'number')
      throw new Error('Redis did not answer with the milliseconds to wait')
    return waitMs
  }
  return {
    take: (account) => wait(account, ['take', calls, windowMs, paced]),
    pausedMs: (account) => wait(account, ['paused', '', '', '']),
    pause: async (account, ms) => {
      if (ms > 0) await ask(account, ['pause', Math.min(ms, LONGEST_PAUSE_MS), '', ''])
    },
  }
}

/**
 * Ten minutes, far more than any pause that the gateway asks for: a minute and a little jitter. The
 * script has the same number, to recognise values that no gateway has written.
 */
const LONGEST_PAUSE_MS = 600_000
