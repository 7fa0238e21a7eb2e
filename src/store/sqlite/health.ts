import { performance } from 'node:perf_hooks'
import type { DatabaseSync } from 'node:sqlite'

/** A write costs a flush of the disk. Readiness may be asked more often than that. */
const PROBE_MS = 1_000

/**
 * Returns a function that tries to write, at most once a second, and says whether the disk took it.
 * A disk that is full answers reads.
 */
export const createProbe = (db: DatabaseSync): (() => boolean) => {
  const write = db.prepare(
    `insert into meta (name, value) values ('probe', ?)
     on conflict do update set value = excluded.value`,
  )
  let probedAt = Number.NEGATIVE_INFINITY
  let count = 0
  let took = true
  return () => {
    if (performance.now() - probedAt < PROBE_MS) return took
    probedAt = performance.now()
    count += 1
    try {
      write.run(count)
      took = true
    } catch {
      took = false
    }
    return took
  }
}
