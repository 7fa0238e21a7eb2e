/**
 * A process of its own on a store file: `node child.ts PATH [FROM]`. It counts up from FROM. For
 * each number it tracks an export and claims it when the number is even, begins a key and finishes
 * it when the number is even, puts the final of the export, and writes the number on a line.
 */
import { writeSync } from 'node:fs'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { finalOf, HOUR, LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'
import { roomFor } from '../schedule-fixtures.ts'

const [, , path = '', from = '0'] = process.argv

try {
  // The clock stands at the time of the records, so that they are not past their end of life.
  const store = createSqliteStore({
    path,
    limits: LIMITS,
    visibilityMs: VISIBILITY_MS,
    now: () => START,
  })
  writeSync(1, 'open\n')
  for (let n = Number(from); ; n++) {
    const dueAt = n % 2 === 0 ? START : START + HOUR
    await store.schedule('default').track([trackingOf(`exp_${n}`, { dueAt })])
    // Only an export with an even number is due. It is claimed, and the claim is never ended.
    await store.schedule('default').claim(START, roomFor(1))
    const until = { inProgressUntil: START + 1000, forgetAt: START + 24 * HOUR }
    await store.idempotency.begin(`key_${n}`, until)
    if (n % 2 === 0) await store.idempotency.finish(`key_${n}`, Buffer.from(`answer ${n}`))
    await store.results.put(refOf(`exp_${n}`), finalOf(`answer ${n}`))
    writeSync(1, `${n}\n`)
  }
} catch (error) {
  writeSync(1, `${error instanceof Error ? `${error.name}: ${error.message}` : 'thrown'}\n`)
}
