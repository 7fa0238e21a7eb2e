import type { Budget, BudgetLimits, Observer, Store } from '../exports/ports.ts'
import { createFailoverBudget } from './failover-budget.ts'
import { createIdempotencyJournal } from './failover-idempotency.ts'
import { createHeldResults } from './failover-results.ts'
import { createStandInSchedule } from './failover-schedule.ts'
import type { RedisStore } from './redis/store.ts'

export interface FailoverOptions {
  readonly limits: BudgetLimits
  /** Calls that the limit of lemlist has beside those: the reserve. */
  readonly reserve: number
  readonly visibilityMs: number
  /** Wall clock, epoch milliseconds. */
  readonly now?: () => number
  readonly storeFailed: Observer['storeFailed']
  /** Told at each switch, once what is here stands in for Redis, or Redis is in use again. */
  readonly onSwitch: (to: 'away' | 'back') => void
}

/** Whether an operation is to be done on Redis; whoever meets an error there says so and goes on here. */
export interface Switch {
  isUp(): boolean
  /**
   * Does it on Redis, or here when Redis is away or fails at it. What is wrong with the arguments is
   * thrown as it is.
   */
  either<T>(there: () => Promise<T>, here: () => Promise<T>): Promise<T>
}

const PROBE_MS = 500
const BEAT_MS = 5_000

/**
 * Redis, and what stands in while it is away: finals, exports and keys in memory, polls of what is
 * watched here, a share of the budget. Nothing waits longer than Redis's deadline, and only once: after
 * the first failure all goes on here until Redis takes writes again. Then what came up meanwhile is put
 * into it, and so is what this replica knows in case Redis came back empty.
 */
export const createFailover = (primary: RedisStore, options: FailoverOptions): Store => {
  const { now = Date.now, storeFailed, onSwitch } = options
  let up = true
  let closed = false
  let probing: NodeJS.Timeout | undefined

  const goAway = (error: unknown): void => {
    if (!up || closed) return
    up = false
    storeFailed('redis', error)
    budget.goAway(primary.replicas.count())
    schedule.goAway()
    probing = setTimeout(probe, PROBE_MS)
    onSwitch('away')
  }

  /** Until nothing is left to put: whatever comes up while Redis is filled is kept here too. */
  const comeBack = async (): Promise<void> => {
    await primary.probe()
    await results.restore()
    await schedule.restore()
    while (idempotency.size() > 0) await idempotency.restore()
    await primary.replicas.beat()
    if (closed) return
    up = true
    budget.comeBack()
    onSwitch('back')
  }

  const probe = (): void => {
    comeBack().catch(() => {
      if (!closed) probing = setTimeout(probe, PROBE_MS)
    })
  }

  const toggle: Switch = {
    isUp: () => up,
    either: async (there, here) => {
      if (!up) return here()
      try {
        return await there()
      } catch (error) {
        if (error instanceof RangeError || error instanceof TypeError) throw error
        if (isForeign(error)) storeFailed('corrupt-record', error)
        else goAway(error)
        return here()
      }
    },
  }
  const results = createHeldResults(primary.results, toggle, now)
  const schedule = createStandInSchedule(primary, toggle, options)
  const idempotency = createIdempotencyJournal(primary.idempotency, toggle)
  const budget: Budget & { goAway(replicas: number): void; comeBack(): void } =
    createFailoverBudget(primary.budget, toggle, options)

  const beat = setInterval(() => {
    if (up) primary.replicas.beat().catch(goAway)
  }, BEAT_MS)
  let listener: Parameters<Store['updates']['listen']>[0] = () => {}

  return {
    results,
    schedule,
    budget,
    idempotency,
    updates: {
      // Redis's own tells the listener here before it asks Redis.
      publish: async (ref, update) => {
        if (!up) return listener(ref, update)
        await primary.updates.publish(ref, update).catch(goAway)
      },
      listen: (next) => {
        listener = next
        primary.updates.listen(next)
      },
    },
    ready: async () => {
      try {
        await primary.ready()
        await primary.replicas.beat()
      } catch (error) {
        goAway(error)
      }
    },
    healthy: async () => up,
    close: async () => {
      closed = true
      clearTimeout(probing)
      clearInterval(beat)
      await primary.close()
    },
  }
}

/** Somebody else's value under a key of ours: Redis is well, and this operation cannot be done on it. */
const isForeign = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('WRONGTYPE')
