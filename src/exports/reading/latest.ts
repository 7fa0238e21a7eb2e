import { LRUCache } from 'lru-cache'
import { type ExportRef, keyOf, type Snapshot } from '../export.ts'

/** The last observation of an export on this replica, and when it was first seen here. */
export interface Observation {
  readonly snapshot: Snapshot
  /** Epoch milliseconds. The clock of an export's life; lemlist's `startedAt` is never used for it. */
  readonly firstSeenAt: number
}

export interface Latest {
  get(ref: ExportRef): Observation | undefined
  /** Newer overwrites; returns what is known then. */
  set(ref: ExportRef, snapshot: Snapshot): Observation
  forget(ref: ExportRef): void
}

/** 16 KiB bodies at most: about 2 000 of the largest, 60 000 of the usual size. */
const MAX_BYTES = 32 * 1024 * 1024
/** What an entry costs beside its body: keys, dates, the objects themselves. */
const OVERHEAD_BYTES = 300

/**
 * Bounded map of the last observation of each export on this replica, final or not. It serves stale
 * answers, snapshots for new streams and answers that are kept 60 s only. Nothing in here is ever
 * served as a final answer: that is what the store is for.
 */
export const createLatest = (maxBytes = MAX_BYTES): Latest => {
  const observations = new LRUCache<string, Observation>({
    maxSize: maxBytes,
    sizeCalculation: ({ snapshot }) => snapshot.body.byteLength + OVERHEAD_BYTES,
  })
  return {
    get: (ref) => observations.get(keyOf(ref)),
    set: (ref, snapshot) => {
      const key = keyOf(ref)
      const known = observations.peek(key)
      // What another replica saw may come late.
      if (known !== undefined && known.snapshot.observedAt > snapshot.observedAt) return known
      const observation = { snapshot, firstSeenAt: known?.firstSeenAt ?? snapshot.observedAt }
      observations.set(key, observation)
      return observation
    },
    forget: (ref) => {
      observations.delete(keyOf(ref))
    },
  }
}
