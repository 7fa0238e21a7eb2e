import { LRUCache } from 'lru-cache'
import type { Bounds } from '../bounds.ts'
import { copyOfId, type ExportRef } from '../export.ts'
import type { FinalRecord } from '../ports.ts'

/** The finals that this process holds in memory. Finals never change, so none is invalidated. */
export interface Finals {
  get(ref: ExportRef): FinalRecord | undefined
  set(ref: ExportRef, record: FinalRecord): void
}

/** Statuses are under 1 KiB, so this is room for about 40 000 of them. */
const MEMORY_BYTES = 64 * 1024 * 1024
const OVERHEAD_BYTES = 600
/** lemlist's bytes, and the text of them that is made for the first caller. */
const COPIES = 2

interface Held {
  readonly account: string
  readonly campaignId: string
  readonly record: FinalRecord
}

/**
 * They are found by the id of the export alone: to put a key together from all three names costs more
 * than to find it. lemlist gives no id twice. If it did, the exports with one id would take turns here,
 * and a read of the other one would go on to the store.
 */
export const createFinals = (bounds: Bounds): Finals => {
  const finals = new LRUCache<string, Held>({
    maxSize: MEMORY_BYTES,
    sizeCalculation: ({ record: { snapshot } }) =>
      COPIES * snapshot.body.byteLength + OVERHEAD_BYTES,
  })
  bounds('finals', () => finals.calculatedSize / MEMORY_BYTES)
  return {
    get: ({ account, campaignId, exportId }) => {
      const held = finals.get(exportId)
      const isIt = held?.campaignId === campaignId && held.account === account
      return isIt ? held.record : undefined
    },
    set: ({ account, campaignId, exportId }, record) => {
      finals.set(copyOfId(exportId), { account, campaignId: copyOfId(campaignId), record })
    },
  }
}
