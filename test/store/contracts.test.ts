import { join } from 'node:path'
import { createMemoryStore } from '../../src/store/memory.ts'
import { createSqliteStore } from '../../src/store/sqlite.ts'
import { describeBudget } from './budget-contract.ts'
import { tempDirectory } from './fixtures.ts'
import { LIMITS } from './records.ts'
import { describeResults } from './results-contract.ts'

const newPath = () => join(tempDirectory(), 'gateway.sqlite')

describeResults('memory', ({ now }) => createMemoryStore({ limits: LIMITS, now }))
describeResults('sqlite', ({ now }) => createSqliteStore({ path: newPath(), limits: LIMITS, now }))

describeBudget('memory', (limits, { now }) => createMemoryStore({ limits, monotonic: now }))
describeBudget('sqlite', (limits, { now }) =>
  createSqliteStore({ path: newPath(), limits, monotonic: now }),
)
