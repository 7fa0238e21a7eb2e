import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import type { BudgetLimits, Store } from '../../exports/ports.ts'
import { createLocalSchedule } from '../local-schedule.ts'
import { createLocalUpdates } from '../local-updates.ts'
import { perAccount } from '../per-account.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import { startSweep } from '../sweep.ts'
import type { ScheduleLimits } from '../tracked.ts'
import { createMemoryIdempotency } from './idempotency.ts'
import { createMemoryResults } from './results.ts'

export interface MemoryStoreOptions {
  readonly limits: BudgetLimits
  /** How long a claim on a tracked export holds, milliseconds. Longer than any look takes. */
  readonly visibilityMs: number
  readonly scheduleLimits?: Partial<ScheduleLimits> | undefined
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  /** Monotonic milliseconds, for the budget. */
  readonly monotonic?: () => number
  /** The bound of the results. Over it, the store drops the least recently used. Default 64 MiB. */
  readonly maxBytes?: number
  /** The bound of the idempotency keys. Over it, `begin` rejects. Default 20 000. */
  readonly maxKeys?: number
  /** Default one minute. */
  readonly sweepIntervalMs?: number
  readonly bounds?: Bounds | undefined
}

/** A store in the memory of one process. Nothing in it survives the process. */
export const createMemoryStore = ({
  limits,
  visibilityMs,
  scheduleLimits,
  now = Date.now,
  monotonic = () => performance.now(),
  maxBytes = 64 * 1024 * 1024,
  maxKeys,
  sweepIntervalMs = 60_000,
  bounds = UNMEASURED,
}: MemoryStoreOptions): Store => {
  const { sweep: sweepResults, clear, ...results } = createMemoryResults({ now, maxBytes, bounds })
  const { sweep: sweepKeys, ...idempotency } = createMemoryIdempotency({ now, maxKeys, bounds })
  const schedules = perAccount(() => createLocalSchedule({ visibilityMs, limits: scheduleLimits }))
  let open = true

  const sweep = (): boolean => {
    sweepResults()
    sweepKeys()
    return false
  }
  const stopSweep = startSweep(sweep, sweepIntervalMs)

  return {
    idempotency,
    results,
    schedule: schedules.of,
    updates: createLocalUpdates(),
    budget: createSlidingWindow(limits, { now: monotonic }),
    async healthy() {
      return open
    },
    async close() {
      open = false
      stopSweep()
      clear()
    },
  }
}
