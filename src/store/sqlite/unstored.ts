import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../../exports/bounds.ts'
import { type ExportRef, keyOf } from '../../exports/export.ts'
import { mergedNewest } from '../../exports/newest.ts'
import type {
  FinalRecord,
  ListedResult,
  Observer,
  ResultRecord,
  Results,
  TimedOutRecord,
} from '../../exports/ports.ts'
import { keptAt, seenAtOf } from '../kept.ts'
import { createNewest } from '../newest.ts'
import { cannotWrite } from './errors.ts'

interface Unstored {
  readonly ref: ExportRef
  readonly record: FinalRecord | TimedOutRecord
  readonly firstSeenAt: number
}

export interface PatientResults extends Results {
  /** Stores what could not be stored when it came. Never rejects. */
  writeAgain(): Promise<void>
  /** Whether everything is stored. */
  isComplete(): boolean
}

interface PatientOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  readonly storeFailed: Observer['storeFailed']
  readonly bounds?: Bounds | undefined
}

/** Many thousands of usual records. Of more, the gateway keeps the newest and asks lemlist again. */
const MAX_BYTES = 32 * 1024 * 1024
const OVERHEAD_BYTES = 500

const bytesOf = ({ record }: Unstored): number =>
  OVERHEAD_BYTES + (record.kind === 'final' ? record.snapshot.body.byteLength : 0)

/**
 * `Results` on a disk that may be full. `put` rejects then, so that the export is followed on and a
 * restart looks at it again. The record is held in memory meanwhile: readers get it, and it is
 * stored as soon as there is room.
 */
export const createPatientResults = (
  disk: Results,
  { now, storeFailed, bounds = UNMEASURED }: PatientOptions,
): PatientResults => {
  const newestHere = createNewest()
  const unstored = new LRUCache<string, Unstored>({
    maxSize: MAX_BYTES,
    sizeCalculation: bytesOf,
    dispose: (_held, key, reason) => {
      if (reason !== 'set') newestHere.remove(key)
    },
  })
  bounds('results-for-the-disk', () => unstored.calculatedSize / MAX_BYTES)

  const held = (ref: ExportRef): ResultRecord | undefined =>
    keptAt(unstored.get(keyOf(ref))?.record, now())

  const put: Results['put'] = async (ref, record, firstSeenAt = seenAtOf(record)) => {
    const key = keyOf(ref)
    const before = unstored.get(key)?.record
    // A final answer never changes, and wins against the guess that none will come.
    const next = before?.kind === 'final' ? before : record
    try {
      const kept = await disk.put(ref, next, firstSeenAt)
      unstored.delete(key)
      return kept
    } catch (error) {
      if (cannotWrite(error)) {
        unstored.set(key, { ref, record: next, firstSeenAt })
        newestHere.put(ref, firstSeenAt)
      }
      throw error
    }
  }

  const getMany: Results['getMany'] = async (refs) => {
    const records = await disk.getMany(refs)
    return records.map((record, index) => {
      const ref = refs[index]
      if (record?.kind === 'final' || ref === undefined) return record
      return held(ref) ?? record
    })
  }

  const newest: Results['newest'] = async (campaign, limit) => {
    const onDisk = await disk.newest(campaign, limit)
    if (unstored.size === 0) return onDisk
    const here = newestHere.of(campaign, limit).flatMap((seen): ListedResult[] => {
      const record = held(seen.ref)
      return record === undefined || record.kind === 'expired' ? [] : [{ ...seen, record }]
    })
    return mergedNewest([here, onDisk], limit)
  }

  return {
    put,
    getMany,
    newest,
    get: async (ref) => (await getMany([ref]))[0],
    writeAgain: async () => {
      for (const [key, { ref, record, firstSeenAt }] of [...unstored.entries()]) {
        try {
          if (keptAt(record, now()) === undefined) unstored.delete(key)
          else await put(ref, record, firstSeenAt)
        } catch (error) {
          storeFailed('results.put', error)
          return
        }
      }
    },
    isComplete: () => unstored.size === 0,
  }
}
