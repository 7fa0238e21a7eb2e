import { describe, expect, it } from 'vitest'
import { createCampaignList } from '../../../../src/exports/reading/campaign-list.ts'
import { refOf, START, timedOut, trackingOf } from '../../../store/records.ts'

const ref = refOf('exp_A')

describe('an export that has ended and has not left the schedule yet', () => {
  it('is listed as it is listed afterwards', async () => {
    // Regression: the time in the schedule may differ by some milliseconds, so two replicas showed
    // different lists for a moment, and the list changed once more after the end.
    const row = { ...trackingOf('exp_A', { firstSeenAt: START - 2 }), watched: false }
    const record = timedOut
    const listOf = (rows: readonly (typeof row)[]) =>
      createCampaignList({
        schedule: { newest: async () => rows },
        results: { newest: async () => [{ ref, firstSeenAt: START, record }] },
        latest: { get: () => undefined },
        observer: {
          drift: () => {},
          storeFailed: (operation, error) => expect.unreachable(`${operation}: ${error}`),
          scheduleFull: () => {},
          failed: () => {},
        },
        fileTtlMs: 1,
      }).newest(ref, 10)
    const during = await listOf([row])
    expect(during).toHaveLength(1)
    expect(during).toEqual(await listOf([]))
  })
})
