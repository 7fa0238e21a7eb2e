import { describe } from 'vitest'
import type { BudgetLimits } from '../../../src/exports/ports.ts'
import { createRedisStore } from '../../../src/store/redis/store.ts'
import type { ScheduleLimits } from '../../../src/store/tracked.ts'
import { withoutRedis } from '../../helpers/redis.ts'
import { freshPrefix, onceConnected, PATIENT_MS, sharedRedis } from '../../helpers/redis-store.ts'
import { describeBudget } from '../budget-contract.ts'
import { describeIdempotency } from '../idempotency-contract.ts'
import { describeNewest } from '../newest-contract.ts'
import { LIMITS, START, VISIBILITY_MS } from '../records.ts'
import { describeResults } from '../results-contract.ts'
import { describeSchedule } from '../schedule-contract.ts'
import { describeUpdates } from '../updates-contract.ts'

interface Given {
  readonly limits?: BudgetLimits
  readonly now?: () => number
  readonly monotonic?: () => number
  readonly scheduleLimits?: Partial<ScheduleLimits>
}

describe.skipIf(withoutRedis)('a store on Redis', () => {
  const server = sharedRedis()
  const redis = ({
    limits = LIMITS,
    now = () => START,
    monotonic = () => 0,
    scheduleLimits,
  }: Given = {}) =>
    onceConnected(
      createRedisStore({
        url: server().url,
        prefix: freshPrefix(),
        deadlineMs: PATIENT_MS,
        limits,
        visibilityMs: VISIBILITY_MS,
        // The random calls of the model contain no renewal. No watch may end while they run.
        watchMs: 24 * 3_600_000,
        scheduleLimits,
        moved: { now, monotonic },
      }),
    )

  describeResults('redis', ({ now }) => redis({ now }))
  describeNewest('redis', ({ now }) => redis({ now }))
  describeBudget('redis', (limits, { now }) => redis({ limits, monotonic: now }))
  describeIdempotency('redis', redis)
  describeSchedule('redis', redis, { hastens: true })
  describeUpdates('redis', redis)
})
