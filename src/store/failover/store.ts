import { performance } from 'node:perf_hooks'
import type { ExportRef } from '../../exports/export.ts'
import type { ResultRecord, Store } from '../../exports/ports.ts'
import type { RedisStore } from '../redis/store.ts'
import { createFailoverBudget } from './budget.ts'
import { createIdempotencyJournal } from './idempotency.ts'
import { createHeldResults } from './results.ts'
import { createStandInSchedule } from './schedule.ts'
import type { FailoverOptions, Restored, Switch } from './switch.ts'

const PROBE_MS = 500
/** After a return that did not last it is longer: each switch costs a window without a call. */
const LONGEST_PROBE_MS = 4_000
const STEADY_MS = 10_000
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
  let probeMs = PROBE_MS
  let backAt = Number.NEGATIVE_INFINITY

  const goAway = (error: unknown): void => {
    if (!up || closed) return
    up = false
    storeFailed('redis', error)
    budget.goAway(primary.replicas.count())
    schedule.goAway()
    const isSteady = performance.now() - backAt > STEADY_MS
    probeMs = isSteady ? PROBE_MS : Math.min(LONGEST_PROBE_MS, 2 * probeMs)
    probing = setTimeout(probe, probeMs)
    onSwitch('away')
  }

  const comeBack = async (): Promise<void> => {
    await primary.probe()
    await primary.replicas.beat()
    await budget.restore()
    const parts: readonly Restored[] = [results, schedule, idempotency]
    for (const part of parts) part.recall()
    // Until nothing is left: whatever comes up while Redis is filled is kept here too.
    while (!parts.every((part) => part.isSettled())) for (const part of parts) await part.settle()
    if (closed) return
    up = true
    backAt = performance.now()
    budget.comeBack()
    onSwitch('back')
  }

  const probe = (): void => {
    comeBack().catch(() => {
      if (!closed) probing = setTimeout(probe, probeMs)
    })
  }

  const toggle: Switch = {
    isUp: () => up,
    either: async (there, here) => {
      if (!up) return here()
      try {
        return await there()
      } catch (error) {
        if (error instanceof RangeError) throw error
        goAway(error)
        return here()
      }
    },
  }
  /** Others have not heard of it, and may have read everything again before it was there. */
  const onNews = async (ref: ExportRef, record: ResultRecord): Promise<void> => {
    if (record.kind !== 'final') return
    await primary.updates.publish(ref, { kind: 'status', snapshot: record.snapshot })
  }
  const results = createHeldResults(primary.results, toggle, { now, onNews })
  const schedule = createStandInSchedule(primary, toggle, options)
  const idempotency = createIdempotencyJournal(primary.idempotency, toggle, now)
  const budget = createFailoverBudget(primary.budget, toggle, options)

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
