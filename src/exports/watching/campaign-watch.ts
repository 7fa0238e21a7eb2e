import { type CampaignRef, campaignKeyOf, type ExportRef, isFinal, keyOf } from '../export.ts'
import type { Update } from '../ports.ts'
import type { CampaignList } from '../reading/campaign-list.ts'
import { inSlices } from '../slices.ts'

/** Somebody who watches all exports of a campaign. */
export interface CampaignSubscriber {
  /**
   * Called with exports that have come into the list of the campaign, those first seen first. Some may
   * have been told before. Must not throw.
   */
  appeared(refs: readonly ExportRef[]): void
}

/** Tells those who watch a campaign which exports come into its list, on whichever replica. */
export interface CampaignWatch {
  /** Adds a subscriber. Returns the newest exports of the campaign, those first seen first. */
  join(campaign: CampaignRef, subscriber: CampaignSubscriber): Promise<readonly ExportRef[]>
  leave(campaign: CampaignRef, subscriber: CampaignSubscriber): void
  /** Called with all that any replica publishes. */
  hear(ref: ExportRef, update: Update): void
  /**
   * Called at each heartbeat, and when messages may have been lost. Reads the lists of all campaigns
   * that are watched here, one after the other. A call during another one does nothing.
   */
  renew(): Promise<void>
}

/** How many exports of a campaign are watched from the beginning: as many as one stream may name. */
export const MOST_LISTED = 100

interface Watched {
  readonly campaign: CampaignRef
  readonly subscribers: Set<CampaignSubscriber>
  /** Whether the list was read. Who joins before waits for it, and is told the whole list by `join`. */
  isRead: boolean
  /** The list as it was read last, by the keys of its exports, those first seen first. */
  refs: ReadonlyMap<string, ExportRef>
  /** The read under way. */
  reading: Promise<void> | undefined
  /** Something became known during the read, so another one follows. */
  again: boolean
  readonly first: Promise<void>
}

/**
 * The list is read once for all who watch a campaign, and again when a replica publishes that it
 * follows another export, or a final status that is not in the list. Many messages that come together
 * lead to one read. How many streams there may be bounds how many campaigns are watched.
 */
export const createCampaignWatch = (list: CampaignList): CampaignWatch => {
  const watched = new Map<string, Watched>()
  let renewing = false

  const read = async (one: Watched): Promise<void> => {
    const listed = await list.newest(one.campaign, MOST_LISTED)
    const before = one.refs
    one.refs = new Map(listed.map(({ ref }) => [keyOf(ref), ref] as const).reverse())
    const fresh = [...one.refs].flatMap(([key, ref]) => (before.has(key) ? [] : [ref]))
    const isFirst = !one.isRead
    one.isRead = true
    if (isFirst || fresh.length === 0) return
    await inSlices([...one.subscribers], async (slice) => {
      for (const subscriber of slice) subscriber.appeared(fresh)
    })
  }

  const readWhileNew = async (one: Watched): Promise<void> => {
    do {
      one.again = false
      await read(one)
    } while (one.again && one.subscribers.size > 0)
    one.reading = undefined
  }

  const refresh = (one: Watched): Promise<void> => {
    if (one.reading !== undefined) one.again = true
    one.reading ??= readWhileNew(one)
    return one.reading
  }

  const begin = (campaign: CampaignRef): Watched => {
    const first = Promise.withResolvers<void>()
    const one: Watched = {
      ...{ campaign, subscribers: new Set(), refs: new Map(), reading: undefined, again: false },
      isRead: false,
      first: first.promise,
    }
    watched.set(campaignKeyOf(campaign), one)
    void refresh(one).then(first.resolve)
    return one
  }

  return {
    join: async ({ account, campaignId }, subscriber) => {
      const campaign = { account, campaignId }
      const one = watched.get(campaignKeyOf(campaign)) ?? begin(campaign)
      one.subscribers.add(subscriber)
      await one.first
      return [...one.refs.values()]
    },
    leave: (campaign, subscriber) => {
      const one = watched.get(campaignKeyOf(campaign))
      one?.subscribers.delete(subscriber)
      if (one?.subscribers.size === 0) watched.delete(campaignKeyOf(campaign))
    },
    hear: (ref, update) => {
      const isNews =
        update.kind === 'followed' || (update.kind === 'status' && isFinal(update.snapshot))
      const one = isNews ? watched.get(campaignKeyOf(ref)) : undefined
      if (one !== undefined && !one.refs.has(keyOf(ref))) void refresh(one)
    },
    renew: async () => {
      if (renewing) return
      renewing = true
      for (const one of [...watched.values()]) await refresh(one)
      renewing = false
    },
  }
}
