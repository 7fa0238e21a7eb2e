import { LRUCache } from 'lru-cache'
import { type ExportRef, keyOf } from '../exports/export.ts'
import type { FinalRecord, ResultRecord, Results, TimedOutRecord } from '../exports/ports.ts'
import type { Switch } from './failover.ts'
import { keptAt, prevails } from './kept.ts'

interface Held {
  readonly ref: ExportRef
  readonly record: FinalRecord | TimedOutRecord
}

/** What this replica can give back to a Redis that has lost it. Bodies are shared with the cache. */
const MAX_HELD = 10_000
/** Puts under way at once while Redis is filled. */
const AT_ONCE = 50

/** `Results` on Redis, and the lately seen ones here. */
export const createHeldResults = (
  primary: Results,
  { either }: Switch,
  now: () => number,
): Results & { restore(): Promise<void> } => {
  const held = new LRUCache<string, Held>({ max: MAX_HELD })

  const hold = (ref: ExportRef, record: ResultRecord | undefined): void => {
    if (record !== undefined && record.kind !== 'expired') held.set(keyOf(ref), { ref, record })
  }
  const here = (ref: ExportRef): ResultRecord | undefined =>
    keptAt(held.get(keyOf(ref))?.record, now())

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
    put: (ref, record) =>
      either(
        async () => {
          const kept = await primary.put(ref, record)
          hold(ref, kept)
          return kept
        },
        async () => {
          const kept = here(ref)
          if (kept !== undefined && !prevails(record, kept)) return kept
          hold(ref, record)
          return keptAt(record, now()) ?? record
        },
      ),
    restore: async () => {
      const all = [...held.values()].filter(({ record }) => keptAt(record, now()) === record)
      for (let from = 0; from < all.length; from += AT_ONCE) {
        const slice = all.slice(from, from + AT_ONCE)
        await Promise.all(slice.map(({ ref, record }) => primary.put(ref, record)))
      }
    },
  }
}
