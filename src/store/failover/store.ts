import { performance } from 'node:perf_hooks'
import type { ExportRef } from '../../exports/export.ts'
import type { ResultRecord, Store, UpdateListener } from '../../exports/ports.ts'
import { StoreMisconfigured } from '../misconfigured.ts'
import { RedisFault } from '../redis/fault.ts'
import type { RedisStore } from '../redis/store.ts'
import { createFailoverBudget } from './budget.ts'
import { createIdempotencyJournal } from './idempotency.ts'
import { createHeldResults } from './results.ts'
import { createStandInSchedules } from './schedules.ts'
import type { FailoverOptions, Restored, Switch } from './switch.ts'

const PROBE_MS = 500
/** After a return that did not last, probes are rarer. A switch costs a window without calls. */
const LONGEST_PROBE_MS = 4_000
const STEADY_MS = 10_000
/**
 * So long after its own return a replica still counts with others that are away: their next probe
 * may come only then, and their connections take a second.
 */
const REUNION_MS = LONGEST_PROBE_MS + 2_000
const BEAT_MS = 5_000
/** While something is wrong with Redis, the log says what, once in this time. */
const REMIND_MS = 60_000

/**
 * A store on Redis that goes on while Redis is away. It then keeps finals, exports and keys in
 * memory, polls what is watched on this replica, and uses a share of the budget. Nothing waits
 * longer than the deadline of Redis, and only once: after the first failure this process does
 * everything itself, until Redis takes writes again. Then it writes to Redis what is new, and also
 * all else that it knows, because Redis may have come back empty.
 */
export const createFailover = (primary: RedisStore, options: FailoverOptions): Store => {
  const { now = Date.now, storeFailed, onSwitch, bounds } = options
  const { beatMs = BEAT_MS, remindMs = REMIND_MS } = options
  let up = true
  let closed = false
  let probing: NodeJS.Timeout | undefined
  let probeMs = PROBE_MS
  let backAt = Number.NEGATIVE_INFINITY
  /** Why Redis is away, as the last try has found. */
  let reason: unknown

  const goAway = (error: unknown): void => {
    if (!up || closed) return
    up = false
    reason = error
    storeFailed('redis', error)
    budget.goAway(primary.replicas.count())
    schedules.goAway()
    const isSteady = performance.now() - backAt > STEADY_MS
    probeMs = isSteady ? PROBE_MS : Math.min(LONGEST_PROBE_MS, 2 * probeMs)
    probing = setTimeout(probe, probeMs)
    onSwitch('away')
  }

  const comeBack = async (): Promise<void> => {
    await primary.inspect()
    await primary.replicas.beat()
    await budget.restore()
    const parts: readonly Restored[] = [results, schedules, idempotency]
    for (const part of parts) part.recall()
    // The loop goes on until nothing is left, because more may come while Redis is filled.
    while (!parts.every((part) => part.isSettled())) for (const part of parts) await part.settle()
    if (closed) return
    up = true
    backAt = performance.now()
    budget.comeBack(primary.replicas.count())
    onSwitch('back')
    // Replicas that have never heard of this one count it now, and not only at their next beat.
    checkMessages().catch(goAway)
  }

  const probe = (): void => {
    comeBack().catch((error) => {
      // What looked like an outage needs the operator. He must not wait for the next reminder.
      const isNews = needsOperator(error) && !needsOperator(reason)
      reason = error
      if (isNews && !closed) storeFailed('redis', error)
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
  /**
   * The other replicas have not heard of the record. They may have read everything again before it
   * was in Redis, so it is published.
   */
  const onNews = async (ref: ExportRef, record: ResultRecord): Promise<void> => {
    if (record.kind !== 'final') return
    await primary.updates.publish(ref, { kind: 'status', snapshot: record.snapshot })
  }
  const results = createHeldResults(primary.results, toggle, { now, onNews, bounds })
  const schedules = createStandInSchedules(primary, toggle, options)
  const idempotency = createIdempotencyJournal(primary.idempotency, toggle, now, bounds)
  const budget = createFailoverBudget(primary.budget, toggle, options)

  /** Whether `ready` has found out if Redis is there. An earlier beat would take it for away. */
  let isMet = false
  let wasHeard = true
  /** The messages between the replicas may fail while everything else works. */
  const checkMessages = async (): Promise<void> => {
    await primary.updates.check()
    const fault = primary.updates.fault()
    if (fault !== undefined && wasHeard) storeFailed('updates', fault)
    wasHeard = fault === undefined
  }

  const beatOnce = async (): Promise<void> => {
    await primary.replicas.beat()
    await checkMessages()
  }
  const beat = setInterval(() => {
    if (up && isMet) beatOnce().catch(goAway)
  }, beatMs)
  const reminder = setInterval(() => {
    if (!up) storeFailed('redis', reason)
    else if (!wasHeard) storeFailed('updates', primary.updates.fault())
  }, remindMs)
  let listener: UpdateListener = () => {}

  return {
    results,
    schedule: schedules.of,
    budget,
    idempotency,
    updates: {
      // The `publish` of the Redis store tells the listener of this replica before it asks Redis.
      publish: async (ref, update) => {
        if (!up) return listener(ref, update, 'here')
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
        await primary.inspect()
        await beatOnce()
      } catch (error) {
        if (cureOf(error) === 'setting') throw misconfigured(error)
        goAway(error)
      } finally {
        isMet = true
      }
    },
    isAway: () => !up || performance.now() - backAt < REUNION_MS,
    healthy: async () => up && primary.updates.fault() === undefined,
    isMisconfigured: () => needsOperator(up ? primary.updates.fault() : reason),
    close: async () => {
      closed = true
      clearTimeout(probing)
      clearInterval(beat)
      clearInterval(reminder)
      await primary.close()
    },
  }
}

const cureOf = (error: unknown) => (error instanceof RedisFault ? error.cure : 'wait')

/** Whether the fault stays until somebody changes a setting or a right. */
const needsOperator = (error: unknown): boolean =>
  cureOf(error) === 'setting' || cureOf(error) === 'rights'

const misconfigured = (error: unknown): StoreMisconfigured =>
  new StoreMisconfigured(error instanceof RedisFault ? error.message : 'STORE_URL is wrong')
