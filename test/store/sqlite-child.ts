/** A process of its own on a store file: `node sqlite-child.ts PATH`. Writes a line for each final it was promised. */
import { writeSync } from 'node:fs'
import { createSqliteStore } from '../../src/store/sqlite.ts'
import { finalOf, LIMITS, refOf, VISIBILITY_MS } from './records.ts'

const [, , path = '', from = '0'] = process.argv

try {
  // The time of the records, so that they are not past their end of life.
  const store = createSqliteStore({
    path,
    limits: LIMITS,
    visibilityMs: VISIBILITY_MS,
    now: () => finalOf('').snapshot.observedAt,
  })
  writeSync(1, 'open\n')
  for (let n = Number(from); ; n++) {
    await store.results.put(refOf(`exp_${n}`), finalOf(`answer ${n}`))
    writeSync(1, `${n}\n`)
  }
} catch (error) {
  writeSync(1, `${error instanceof Error ? `${error.name}: ${error.message}` : 'thrown'}\n`)
}
