import { type ExportRef, keyOf } from './export.ts'

/** The order of the exports of a campaign. */

/** An export in the list of its campaign. */
export interface Seen {
  readonly ref: ExportRef
  /** When the gateway first saw it, epoch milliseconds. */
  readonly firstSeenAt: number
}

/**
 * Whether an export comes before another one in a list that begins with the newest. Exports that were
 * first seen at the same time are in the order of their ids, so that all stores and replicas agree.
 */
export const isNewer = (one: Seen, other: Seen): boolean =>
  one.firstSeenAt === other.firstSeenAt
    ? one.ref.exportId > other.ref.exportId
    : one.firstSeenAt > other.firstSeenAt

/** Returns the newest of several lists, each export once, from the first list that has it. */
export const mergedNewest = <T extends Seen>(
  lists: readonly (readonly T[])[],
  limit: number,
): T[] => {
  const found = new Map<string, T>()
  for (const one of lists.flat()) if (!found.has(keyOf(one.ref))) found.set(keyOf(one.ref), one)
  return [...found.values()].sort((one, other) => (isNewer(one, other) ? -1 : 1)).slice(0, limit)
}
