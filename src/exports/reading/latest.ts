import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import {
  type ExportRef,
  keyOf,
  type Observed,
  type ObservedOn,
  type Snapshot,
  supersedes,
} from '../export.ts'

/** The last observation of an export on this replica, and when this replica first saw it. */
export interface Observation {
  readonly snapshot: Snapshot
  /** Epoch milliseconds. The age of an export counts from here, not from lemlist's `startedAt`. */
  readonly firstSeenAt: number
}

export interface Latest {
  get(ref: ExportRef): Observation | undefined
  /** Keeps the snapshot unless it may not be shown after the known one. Returns what is kept. */
  set(ref: ExportRef, snapshot: Snapshot, from: ObservedOn): Observation
  forget(ref: ExportRef): void
}

/** What is kept, where it was observed, and the observation that is handed out. */
interface Entry extends Observed {
  readonly observation: Observation
}

/** Room for about 1 000 bodies of the largest size (16 KiB), or 25 000 of the usual 500 bytes. */
const MAX_BYTES = 32 * 1024 * 1024
/** What an entry costs besides its body: the key, the dates and the objects themselves. */
const OVERHEAD_BYTES = 300
/** lemlist's bytes, and the text of them that is made for the first caller. */
const COPIES = 2

/**
 * A bounded map of the last observation of each export on this replica, final or not. Stale
 * answers, the snapshots of new streams and the answers that are kept for 60 s come from here.
 * Final answers that are kept for longer come from the store alone.
 */
export const createLatest = (
  maxBytes = MAX_BYTES,
  now: () => number = Date.now,
  bounds: Bounds = UNMEASURED,
): Latest => {
  const entries = new LRUCache<string, Entry>({
    maxSize: maxBytes,
    sizeCalculation: ({ snapshot }) => COPIES * snapshot.body.byteLength + OVERHEAD_BYTES,
  })
  bounds('observations', () => entries.calculatedSize / maxBytes)
  return {
    get: (ref) => entries.get(keyOf(ref))?.observation,
    set: (ref, snapshot, from) => {
      const key = keyOf(ref)
      const known = entries.peek(key)
      const isKept = known !== undefined && !supersedes({ snapshot, from }, known, now())
      // What is told again stays an observation of where it was observed.
      if (known !== undefined && (isKept || known.snapshot === snapshot)) return known.observation
      const firstSeenAt = known?.observation.firstSeenAt ?? snapshot.observedAt
      const observation = { snapshot, firstSeenAt }
      entries.set(key, { snapshot, from, observation })
      return observation
    },
    forget: (ref) => {
      entries.delete(keyOf(ref))
    },
  }
}
