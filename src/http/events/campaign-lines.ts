import { type ExportRef, keyOf } from '../../exports/export.ts'
import { nextTurn } from '../../exports/slices.ts'
import type { CampaignSubscriber } from '../../exports/watching/campaign-watch.ts'
import type { Watch } from '../../exports/watching/watch.ts'
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
  readonly stream: Pick<EventStream, 'admit' | 'dismiss' | 'isDone' | 'changed' | 'confirmed'>
  readonly watch: Pick<Watch, 'join' | 'leave' | 'firstOfMany' | 'confirm'>
  readonly callerId: string | undefined
  /** Whether the client may have been told more by another replica than this one knows. */
  readonly isDoubted: boolean
  readonly failed: (error: unknown) => void
}

export const createCampaignLines = (options: CampaignLinesOptions): CampaignLines => {
  const { stream, watch, callerId, failed } = options
  /** In the order in which they came. */
  const lines = new Map<string, ExportRef>()
  let isClosed = false

  const leave = (key: string, ref: ExportRef): void => {
    lines.delete(key)
    watch.leave(ref, stream)
  }

  const makeRoom = (): void => {
    for (const [key, ref] of lines) {
      if (lines.size <= MOST_LINES) return
      if (!stream.isDone(ref)) continue
      stream.dismiss(ref)
      leave(key, ref)
    }
    for (const [key, ref] of lines) {
      if (lines.size <= MOST_LINES) return
      stream.dismiss(ref)
      leave(key, ref)
    }
  }

  const add = (refs: readonly ExportRef[], isDoubted: boolean): void => {
    if (isClosed) return
    const fresh = refs.filter((ref) => !lines.has(keyOf(ref)))
    if (fresh.length === 0) return
    for (const ref of fresh) lines.set(keyOf(ref), ref)
    // The client wants to see the newest first.
    const newest = fresh.toReversed()
    for (const ref of newest) {
      stream.admit(ref, isDoubted)
      stream.changed(watch.join(ref, stream))
    }
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
        for (const [key, ref] of lines) leave(key, ref)
      })
    },
  }
}
