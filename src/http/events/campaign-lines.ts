import type { ExportRef } from '../../exports/export.ts'
import { nextTurn } from '../../exports/slices.ts'
import type { CampaignSubscriber } from '../../exports/watching/campaign-watch.ts'
import type { Watch } from '../../exports/watching/watch.ts'
import type { News } from './news.ts'
import type { EventStream } from './stream.ts'

/**
 * How many exports the stream of a campaign tells of at once: the 100 newest at its beginning, and
 * as many that become known later. lemlist answers 16 calls in 2 s, so hardly more are pending at
 * once in one campaign. An export that is over needs no line once the client has been told so. So over
 * the bound those leave first, and the one that came first before the others. Only when all are pending
 * does the oldest of them leave.
 */
export const MOST_LINES = 200

/** The exports that the stream of a campaign tells of. They change while it is open. */
export interface CampaignLines extends CampaignSubscriber {
  /** Tells of the exports that are known at the beginning, given those first seen first. */
  begin(refs: readonly ExportRef[]): void
  /** Called when the stream is over. */
  close(): void
}

interface CampaignLinesOptions {
  readonly stream: Pick<EventStream, 'changed' | 'confirmed'> & {
    readonly news: Pick<News, 'admit' | 'dismiss' | 'refs' | 'tellsOf' | 'isDone'>
  }
  readonly watch: Pick<Watch, 'join' | 'leave' | 'firstOfMany' | 'confirm'>
  readonly callerId: string | undefined
  /** Whether the client may have been told more by another replica than this one knows. */
  readonly isDoubted: boolean
  readonly failed: (error: unknown) => void
}

export const createCampaignLines = (options: CampaignLinesOptions): CampaignLines => {
  const { stream, watch, callerId, failed } = options
  const { news } = stream
  let isClosed = false

  const makeRoom = (): void => {
    const refs = news.refs()
    const surplus = refs.length - MOST_LINES
    if (surplus <= 0) return
    const isDone = (ref: ExportRef): boolean => news.isDone(ref)
    const inTurn = [...refs.filter(isDone), ...refs.filter((ref) => !isDone(ref))]
    for (const ref of inTurn.slice(0, surplus)) {
      news.dismiss(ref)
      watch.leave(ref, stream)
    }
  }

  const add = (refs: readonly ExportRef[], isDoubted: boolean): void => {
    if (isClosed) return
    const fresh = refs.filter((ref) => !news.tellsOf(ref))
    if (fresh.length === 0) return
    for (const ref of fresh) news.admit(ref, isDoubted)
    // The client wants to see the newest first.
    const newest = fresh.toReversed()
    for (const ref of newest) stream.changed(watch.join(ref, stream))
    makeRoom()
    // The problem of one export is dispatched to its topic, and the stream tells it by an event. So
    // nothing but an unexpected error is thrown here.
    const told = isDoubted
      ? watch.confirm(newest, stream, callerId)
      : watch.firstOfMany(newest, callerId)
    told.catch(failed)
  }

  return {
    begin: (refs) => add(refs, options.isDoubted),
    appeared: (refs) => add(refs, false),
    close: () => {
      isClosed = true
      // In a turn of its own. When a proxy stops, hundreds of streams close at once.
      void nextTurn().then(() => {
        for (const ref of news.refs()) watch.leave(ref, stream)
      })
    },
  }
}
