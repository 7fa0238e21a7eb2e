import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { ListedResult, ResultRecord, Results } from '../../exports/ports.ts'
import { changesAt, keptAt, prevails, seenAtOf } from '../kept.ts'
import { createNewest } from '../newest.ts'

interface MemoryResultsOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** Over it, the least recently used records are dropped. */
  readonly maxBytes: number
  readonly bounds?: Bounds | undefined
}

export interface MemoryResults extends Results {
  /** Drops the bodies of expired records, and the records whose time is over. */
  sweep(): void
  clear(): void
}

/** What a record costs besides its body: key, objects and its places in cache and list, roughly. */
const RECORD_BYTES = 512

const bytesOf = (record: ResultRecord): number =>
  RECORD_BYTES + (record.kind === 'final' ? record.snapshot.body.byteLength : 0)

/** `Results` in a map of so many bytes. */
export const createMemoryResults = ({
  now,
  maxBytes,
  bounds = UNMEASURED,
}: MemoryResultsOptions): MemoryResults => {
  const newest = createNewest()
  // The ttl of the cache is not used, because it ends an entry once. A record ends twice: it
  // expires, and later it is forgotten.
  const kept = new LRUCache<string, ResultRecord>({
    maxSize: maxBytes,
    sizeCalculation: bytesOf,
    dispose: (_record, key, reason) => {
      if (reason !== 'set') newest.remove(key)
    },
  })
  bounds('results', () => kept.calculatedSize / maxBytes)

  const get = (ref: ExportRef): ResultRecord | undefined => keptAt(kept.get(keyOf(ref)), now())

  const listed = (key: string): ListedResult['record'] | undefined => {
    // Whoever lists a record does not use it, so it is not kept for longer.
    const record = keptAt(kept.peek(key), now())
    return record === undefined || record.kind === 'expired' ? undefined : record
  }

  return {
    async get(ref) {
      return get(ref)
    },
    async getMany(refs) {
      return refs.map(get)
    },
    async put(ref, record, firstSeenAt = seenAtOf(record)) {
      const held = get(ref)
      if (held !== undefined && !prevails(record, held)) return held
      const rest = keptAt(record, now())
      if (rest !== undefined) {
        kept.set(keyOf(ref), rest)
        if (rest.kind !== 'expired') newest.put(ref, firstSeenAt)
      }
      return rest ?? record
    },
    async newest(campaign, limit) {
      const found = newest.of(campaign, limit, (key) => listed(key) !== undefined)
      return found.flatMap(({ ref, firstSeenAt }) => {
        const record = listed(keyOf(ref))
        return record === undefined ? [] : [{ ref, firstSeenAt, record }]
      })
    },
    sweep() {
      const time = now()
      // The records are collected first, because `set` reorders the entries while they are walked.
      const due = [...kept.entries()].filter(([, record]) => changesAt(record) <= time)
      for (const [key, record] of due) {
        const rest = keptAt(record, time)
        if (rest === undefined) kept.delete(key)
        else {
          kept.set(key, rest)
          newest.remove(key)
        }
      }
    },
    clear: () => kept.clear(),
  }
}
