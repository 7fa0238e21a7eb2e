import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { BudgetLimits, ResultRecord, Results, Store } from '../../exports/ports.ts'
import { changesAt, keptAt, prevails } from '../kept.ts'
import { createLocalSchedule } from '../local-schedule.ts'
import { createLocalUpdates } from '../local-updates.ts'
import { perAccount } from '../per-account.ts'
import { createSlidingWindow } from '../sliding-window.ts'
import { startSweep } from '../sweep.ts'
import type { ScheduleLimits } from '../tracked.ts'
import { createMemoryIdempotency } from './idempotency.ts'

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

/** What a record costs besides its body: key, objects and its place in the cache, roughly. */
const RECORD_BYTES = 512

const bytesOf = (record: ResultRecord): number =>
  RECORD_BYTES + (record.kind === 'final' ? record.snapshot.body.byteLength : 0)

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
  // The ttl of the cache is not used, because it ends an entry once. A record ends twice: it
  // expires, and later it is forgotten.
  const kept = new LRUCache<string, ResultRecord>({ maxSize: maxBytes, sizeCalculation: bytesOf })
  bounds('results', () => kept.calculatedSize / maxBytes)
  const { sweep: sweepKeys, ...idempotency } = createMemoryIdempotency({ now, maxKeys, bounds })
  const schedules = perAccount(() => createLocalSchedule({ visibilityMs, limits: scheduleLimits }))
  let open = true

  const sweep = (): boolean => {
    const time = now()
    // The records are collected first, because `set` reorders the entries while they are walked.
    const due = [...kept.entries()].filter(([, record]) => changesAt(record) <= time)
    for (const [key, record] of due) {
      const rest = keptAt(record, time)
      if (rest === undefined) kept.delete(key)
      else kept.set(key, rest)
    }
    sweepKeys()
    return false
  }
  const stopSweep = startSweep(sweep, sweepIntervalMs)

  const get = (ref: ExportRef): ResultRecord | undefined => keptAt(kept.get(keyOf(ref)), now())

  const results = {
    async get(ref) {
      return get(ref)
    },
    async getMany(refs) {
      return refs.map(get)
    },
    async put(ref, record) {
      const held = get(ref)
      if (held !== undefined && !prevails(record, held)) return held
      const rest = keptAt(record, now())
      if (rest !== undefined) kept.set(keyOf(ref), rest)
      return rest ?? record
    },
  } satisfies Results

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
      kept.clear()
    },
  }
}
