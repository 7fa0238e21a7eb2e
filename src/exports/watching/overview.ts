import { LRUCache } from 'lru-cache'
import { type Bounds, UNMEASURED } from '../bounds.ts'
import { type ExportRef, keyOf } from '../export.ts'
import type { Change } from '../ports.ts'
import type { Schedule } from '../schedule.ts'

/** What an operator is told of an export that the gateway follows. Times are epoch milliseconds. */
export interface Followed {
  readonly ref: ExportRef
  /** lemlist's word, as far as this replica knows; `unknown` while lemlist has not answered it. */
  readonly state: string
  readonly firstSeenAt: number
  /** When the gateway looks next. While a look is under way, when the look counts as lost. */
  readonly nextLookAt: number
  /** How many streams and waiting reads of this replica watch the export. */
  readonly watchers: number
  /** The code of the problem that the last look ended with. Undefined when it went well. */
  readonly trouble: string | undefined
}

export interface Overview {
  /** All exports that are followed, also by other replicas; those first seen last come first. */
  followed(): Promise<readonly Followed[]>
  /** Notes how a look ended. */
  hear(ref: ExportRef, update: Change): void
}

interface OverviewOptions {
  readonly schedule: Pick<Schedule, 'all'>
  readonly stateOf: (ref: ExportRef) => string | undefined
  readonly watchersOf: (ref: ExportRef) => number
  readonly bounds?: Bounds | undefined
}

/** A code of twenty letters and its key take about 200 bytes, so these take 4 MB at most. */
const MAX_TROUBLES = 20_000

export const createOverview = (options: OverviewOptions): Overview => {
  const { schedule, stateOf, watchersOf, bounds = UNMEASURED } = options
  const troubles = new LRUCache<string, string>({ max: MAX_TROUBLES })
  bounds('troubles', () => troubles.size / MAX_TROUBLES)
  return {
    hear: (ref, update) => {
      if (update.kind === 'trouble') troubles.set(keyOf(ref), update.code)
      else troubles.delete(keyOf(ref))
    },
    followed: async () => {
      const all = await schedule.all()
      return all
        .map(({ ref, origin, firstSeenAt, dueAt }) => ({
          ...{ ref, firstSeenAt, nextLookAt: dueAt, watchers: watchersOf(ref) },
          state: stateOf(ref) ?? (origin === 'pending' ? 'pending' : 'unknown'),
          trouble: troubles.get(keyOf(ref)),
        }))
        .sort((one, other) => other.firstSeenAt - one.firstSeenAt)
    },
  }
}
