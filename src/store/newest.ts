import { type CampaignRef, campaignKeyOf, type ExportRef, keyOf } from '../exports/export.ts'
import { isNewer, type Seen } from '../exports/newest.ts'

/** The exports of each campaign in the order in which they were first seen. */
export interface Newest {
  /** Puts an export in, or moves it. */
  put(ref: ExportRef, firstSeenAt: number): void
  /** @param key the export's `keyOf` */
  remove(key: string): void
  /** Returns the newest of a campaign for which `isListed` holds, newest first. */
  of(campaign: CampaignRef, limit: number, isListed?: (key: string) => boolean): readonly Seen[]
}

interface Entry extends Seen {
  readonly key: string
  isGone: boolean
}

/** The exports of one campaign, oldest first, and how many of them are gone. */
interface Shelf {
  entries: Entry[]
  gone: number
}

/** So many more entries may be gone than are left before they are taken out of the list. */
const SPARE = 64

/**
 * Keeps a list for each campaign. New exports come to its end, so hardly any is ever moved. One that
 * is removed stays in the list as gone, until most of them are. Otherwise each of thousands that go
 * together would move all others. Whoever puts the exports in bounds how many there are.
 */
export const createNewest = (): Newest => {
  const shelves = new Map<string, Shelf>()
  const known = new Map<string, Entry>()

  const remove = (key: string): void => {
    const entry = known.get(key)
    if (entry === undefined) return
    known.delete(key)
    entry.isGone = true
    const name = campaignKeyOf(entry.ref)
    const shelf = shelves.get(name)
    if (shelf === undefined) return
    shelf.gone += 1
    if (shelf.gone === shelf.entries.length) shelves.delete(name)
    else if (2 * shelf.gone > shelf.entries.length + SPARE) {
      shelf.entries = shelf.entries.filter(({ isGone }) => !isGone)
      shelf.gone = 0
    }
  }

  return {
    put: (ref, firstSeenAt) => {
      const key = keyOf(ref)
      if (known.get(key)?.firstSeenAt === firstSeenAt) return
      remove(key)
      const entry: Entry = { ref, key, firstSeenAt, isGone: false }
      known.set(key, entry)
      const name = campaignKeyOf(ref)
      const shelf = shelves.get(name) ?? { entries: [], gone: 0 }
      shelves.set(name, shelf)
      shelf.entries.splice(placeOf(entry, shelf.entries), 0, entry)
    },
    remove,
    of: (campaign, limit, isListed = () => true) => {
      const { entries } = shelves.get(campaignKeyOf(campaign)) ?? { entries: [] }
      const found: Seen[] = []
      for (let index = entries.length - 1; index >= 0 && found.length < limit; index -= 1) {
        const entry = entries[index]
        if (entry === undefined || entry.isGone || !isListed(entry.key)) continue
        found.push({ ref: entry.ref, firstSeenAt: entry.firstSeenAt })
      }
      return found
    },
  }
}

/** Returns before which index the entry belongs. */
const placeOf = (entry: Entry, entries: readonly Entry[]): number => {
  let [from, to] = [0, entries.length]
  // Most exports are newer than all others, so the end is looked at first.
  let middle = to - 1
  while (from < to) {
    const other = entries[middle]
    if (other === undefined || isNewer(entry, other)) from = middle + 1
    else to = middle
    middle = (from + to) >> 1
  }
  return from
}
