import { join } from 'node:path'
import type { BudgetLimits } from '../../src/exports/ports.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { createSqliteStore } from '../../src/store/sqlite/store.ts'
import type { ScheduleLimits } from '../../src/store/tracked.ts'
import { describeBudget } from './budget-contract.ts'
import { tempDirectory } from './fixtures.ts'
import { describeFullIdempotency, describeIdempotency } from './idempotency-contract.ts'
import { describeNewest } from './newest-contract.ts'
import { LIMITS, VISIBILITY_MS } from './records.ts'
import { describeResults } from './results-contract.ts'
import { describeSchedule } from './schedule-contract.ts'
import { describeUpdates } from './updates-contract.ts'

interface Given {
  readonly limits?: BudgetLimits
  readonly now?: () => number
  readonly monotonic?: () => number
  readonly maxKeys?: number
  readonly scheduleLimits?: Partial<ScheduleLimits>
}

const options = { limits: LIMITS, visibilityMs: VISIBILITY_MS }
const memory = (given: Given = {}) => createMemoryStore({ ...options, ...given })
const sqlite = (given: Given = {}) =>
  createSqliteStore({ ...options, ...given, path: join(tempDirectory(), 'gateway.sqlite') })

describeResults('memory', ({ now }) => memory({ now }))
describeResults('sqlite', ({ now }) => sqlite({ now }))

describeNewest('memory', ({ now }) => memory({ now }))
describeNewest('sqlite', ({ now }) => sqlite({ now }))

describeBudget('memory', (limits, { now }) => memory({ limits, monotonic: now }))
describeBudget('sqlite', (limits, { now }) => sqlite({ limits, monotonic: now }))

describeIdempotency('memory', memory)
describeIdempotency('sqlite', sqlite)

describeFullIdempotency('memory', memory)
describeFullIdempotency('sqlite', sqlite)

describeSchedule('memory', memory)
describeSchedule('sqlite', sqlite)

describeUpdates('memory', memory)
describeUpdates('sqlite', sqlite)
