/** These are not in `fixtures.ts`, which imports vitest, because a child process uses them too. */
import type { ExportRef } from '../../src/exports/export.ts'
import type { FinalRecord, TimedOutRecord } from '../../src/exports/ports.ts'
import type { Tracking } from '../../src/exports/schedule.ts'

export const HOUR = 3_600_000
/** The time at which the wall clock of a test starts, epoch milliseconds. */
export const START = Date.UTC(2026, 0, 2, 3, 4, 5, 678)
export const LIMITS = { calls: 16, windowMs: 2000 }
/** How long a claim holds, milliseconds. */
export const VISIBILITY_MS = 20_000

export const refOf = (exportId: string, account = 'default'): ExportRef => ({
  account,
  campaignId: 'cam_A1',
  exportId,
})

/** A final record of an export that ended at `START`. It lives for 24 h and is kept for 48 h. */
export const finalOf = (text: string, state: 'done' | 'error' = 'done'): FinalRecord => ({
  kind: 'final',
  forgetAt: START + 48 * HOUR,
  snapshot: {
    body: Buffer.from(text),
    state,
    // Like a real version, this has only characters that an ETag allows.
    version: `v-${text.replace(/[^A-Za-z0-9]/g, '_')}`,
    observedAt: START,
    endOfLife: START + 24 * HOUR,
  },
})

/** A body as lemlist's are. Replicas take no other from each other. */
export const bodySaying = (state: string, text = ''): Uint8Array =>
  Buffer.from(JSON.stringify({ status: { status: state, text } }))

export const timedOut: TimedOutRecord = { kind: 'timed-out', forgetAt: START + 24 * HOUR }

/**
 * An export that was first seen pending at `START`, is due at `START` and has no watchers. Its last
 * look was one interval before its due time.
 */
export const trackingOf = (
  exportId: string,
  { dueAt = START, intervalMs = 60_000, ...but }: Partial<Tracking> = {},
): Tracking => ({
  ref: refOf(exportId),
  dueAt,
  lookedAt: dueAt - intervalMs,
  intervalMs,
  origin: 'pending',
  misses: 0,
  failures: 0,
  firstSeenAt: START,
  agedLooks: 0,
  ...but,
})
