import { join } from 'node:path'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createSqliteStore } from '../../src/store/sqlite.ts'
import { describeBudget } from './budget-contract.ts'
import { tempDirectory } from './fixtures.ts'
import { LIMITS, VISIBILITY_MS } from './records.ts'
import { describeResults } from './results-contract.ts'

const newPath = () => join(tempDirectory(), 'gateway.sqlite')

describeResults('memory', ({ now }) =>
  createMemoryStore({ limits: LIMITS, visibilityMs: VISIBILITY_MS, now }),
)
describeResults('sqlite', ({ now }) =>
  createSqliteStore({ path: newPath(), limits: LIMITS, visibilityMs: VISIBILITY_MS, now }),
)

describeBudget('memory', (limits, { now }) =>
  createMemoryStore({ limits, visibilityMs: VISIBILITY_MS, monotonic: now }),
)
describeBudget('sqlite', (limits, { now }) =>
  createSqliteStore({ path: newPath(), limits, visibilityMs: VISIBILITY_MS, monotonic: now }),
)
