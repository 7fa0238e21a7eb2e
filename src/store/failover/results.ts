import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type {
  FinalRecord,
  ListedResult,
  ResultRecord,
  Results,
  TimedOutRecord,
} from '../../exports/ports.ts'
import { keptAt, prevails, seenAtOf } from '../kept.ts'
import { createNewest } from '../newest.ts'
import { createBacklog } from './backlog.ts'
import type { Restored, Switch } from './switch.ts'

interface Held {
  readonly ref: ExportRef
  readonly record: FinalRecord | TimedOutRecord
  /** True when it was put while Redis was away, so that other replicas have not heard of it. */
  readonly isNews: boolean
  /** When the gateway first saw the export, epoch milliseconds. */
  readonly firstSeenAt: number
}

interface HeldResultsOptions {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Called with each record that was put while Redis was away, as soon as Redis has it. */
  readonly onNews: (ref: ExportRef, record: ResultRecord) => Promise<void>
  readonly bounds?: Bounds | undefined
}

/** How much this replica keeps for a Redis that has lost it. The cache shares the bodies. */
const MAX_BYTES = 32 * 1024 * 1024
/** What a record costs besides its body, roughly. */
const OVERHEAD_BYTES = 500

const bytesOf = ({ record }: Held): number =>
  OVERHEAD_BYTES + (record.kind === 'final' ? record.snapshot.body.byteLength : 0)

/** `Results` in Redis. This process also remembers the records that it has seen lately. */
export const createHeldResults = (
  primary: Results,
  { either }: Switch,
  { now, onNews, bounds = UNMEASURED }: HeldResultsOptions,
): Results & Restored => {
  const newestHere = createNewest()
  const held = new LRUCache<string, Held>({
    maxSize: MAX_BYTES,
    sizeCalculation: bytesOf,
    dispose: (_held, key, reason) => {
      if (reason !== 'set') newestHere.remove(key)
    },
  })
  bounds('results-for-redis', () => held.calculatedSize / MAX_BYTES)

  const hold = (
    ref: ExportRef,
    record: ResultRecord | undefined,
    { isNews = false, seenAt }: { isNews?: boolean; seenAt?: number | undefined } = {},
  ): void => {
    if (record === undefined || record.kind === 'expired') return
    const key = keyOf(ref)
    const firstSeenAt = seenAt ?? held.peek(key)?.firstSeenAt ?? seenAtOf(record)
    held.set(key, { ref, record, isNews, firstSeenAt })
    newestHere.put(ref, firstSeenAt)
  }
  const here = (ref: ExportRef): ResultRecord | undefined =>
    keptAt(held.get(keyOf(ref))?.record, now())

  const restore = async (key: string): Promise<void> => {
    const known = held.get(key)
    if (known === undefined || keptAt(known.record, now()) !== known.record) return
    const kept = await primary.put(known.ref, known.record, known.firstSeenAt)
    if (known.isNews) await onNews(known.ref, kept)
    hold(known.ref, kept)
  }
  const backlog = createBacklog((keys) => Promise.all(keys.map(restore)), {
    ...{ name: 'results-to-restore', bounds },
  })

  const getMany = (refs: readonly ExportRef[]) =>
    either(
      async () => {
        const records = await primary.getMany(refs)
        for (const [index, ref] of refs.entries()) hold(ref, records[index])
        return records
      },
      async () => refs.map(here),
    )

  return {
    getMany,
    get: async (ref) => (await getMany([ref]))[0],
    put: (ref, record, seenAt) =>
      either(
        async () => {
          const kept = await primary.put(ref, record, seenAt)
          hold(ref, kept, { seenAt })
          return kept
        },
        async () => {
          const kept = here(ref)
          if (kept !== undefined && !prevails(record, kept)) return kept
          hold(ref, record, { isNews: true, seenAt })
          backlog.add(keyOf(ref))
          return keptAt(record, now()) ?? record
        },
      ),
    newest: (campaign, limit) =>
      either(
        () => primary.newest(campaign, limit),
        async () =>
          newestHere.of(campaign, limit).flatMap((seen): ListedResult[] => {
            const record = here(seen.ref)
            return record === undefined || record.kind === 'expired' ? [] : [{ ...seen, record }]
          }),
      ),
    isSettled: backlog.isEmpty,
    settle: backlog.flush,
    recall: () => {
      for (const key of held.keys()) backlog.add(key)
    },
  }
}
