import type { CampaignRef, Snapshot } from '../export.ts'
import { tells } from '../export.ts'
import { mergedNewest, type Seen } from '../newest.ts'
import type { ListedResult, Observer, Results } from '../ports.ts'
import type { Schedule, Tracked } from '../schedule.ts'
import type { Latest } from './latest.ts'

/** An export of a campaign, as far as it is known without asking lemlist. */
export interface Listed extends Seen {
  /** lemlist's word, or `timed-out`. */
  readonly state: string
  /**
   * When lemlist said the state, epoch milliseconds; for `timed-out`, when the gateway became sure of
   * it.
   */
  readonly observedAt: number
  /** Undefined when this replica does not have lemlist's bytes: nobody has looked yet, or no more. */
  readonly snapshot: Snapshot | undefined
}

/** The exports of a campaign. lemlist has no such list. */
export interface CampaignList {
  /** Returns at most `limit` exports, those first seen last first. Never asks lemlist or rejects. */
  newest(campaign: CampaignRef, limit: number): Promise<readonly Listed[]>
}

interface CampaignListOptions {
  readonly schedule: Pick<Schedule, 'newest'>
  readonly results: Pick<Results, 'newest'>
  readonly latest: Pick<Latest, 'get'>
  readonly observer: Observer
  /** How long the store remembers that an export timed out, milliseconds. */
  readonly fileTtlMs: number
}

export const createCampaignList = (options: CampaignListOptions): CampaignList => {
  const { schedule, results, latest, observer, fileTtlMs } = options

  /** The gateway goes on when its store fails, with what it knows else. */
  const attempt = async <T>(operation: string, work: Promise<readonly T[]>) => {
    try {
      return await work
    } catch (error) {
      observer.storeFailed(operation, error)
      return []
    }
  }

  const followed = ({ ref, firstSeenAt }: Tracked): Listed => {
    const snapshot = latest.get(ref)?.snapshot
    const { state = 'pending', observedAt = firstSeenAt } = snapshot ?? {}
    // An export is followed because it was started or seen pending, so that was lemlist's word then.
    return { ref, firstSeenAt, state, observedAt, snapshot }
  }

  /** Other programs may write to the store. A record whose body is no status is none. */
  const isSound = ({ record }: ListedResult): boolean => {
    if (record.kind === 'timed-out' || tells(record.snapshot)) return true
    observer.storeFailed('corrupt-record', new Error('A record holds no status of an export'))
    return false
  }

  const over = ({ ref, firstSeenAt, record }: ListedResult): Listed => {
    if (record.kind === 'final') {
      const { snapshot } = record
      return { ref, firstSeenAt, state: snapshot.state, observedAt: snapshot.observedAt, snapshot }
    }
    const observedAt = record.forgetAt - fileTtlMs
    return { ref, firstSeenAt, state: 'timed-out', observedAt, snapshot: undefined }
  }

  return {
    newest: async (campaign, limit) => {
      // An export that ends is put into the results before it leaves the schedule. In this order it is
      // found in one of the two. When both have it, the list says what it also says afterwards.
      const rows = await attempt('schedule.newest', schedule.newest(campaign, limit))
      const ended = await attempt('results.newest', results.newest(campaign, limit))
      const ends = ended.filter(isSound).map(over)
      return mergedNewest([ends, rows.map(followed)], limit)
    },
  }
}
