import { onTestFinished } from 'vitest'
import type { Recorder } from './record.ts'

const EVERY_MS = 25
/** A timer that is so late shows that the machine had no time for this process. */
const LATE_MS = 50
/** The gateways may have waited for the processor a little before and after that. */
const AROUND_MS = 300

/**
 * Records as a disturbance when the machine had no time for this process. The gateways run on the
 * same machine. Their short waits may have been over before they could do anything, and Redis may
 * have seemed to be away.
 */
export const recordStalls = (recorder: Pick<Recorder, 'disturbances'>): void => {
  let before = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    if (now - before > EVERY_MS + LATE_MS) {
      recorder.disturbances.push({
        ...{ what: 'the machine stalls', effects: ['blinds', 'halts'] },
        ...{ from: before - AROUND_MS, endedAt: now, to: now + AROUND_MS },
      })
    }
    before = now
  }, EVERY_MS)
  onTestFinished(() => clearInterval(timer))
}
