import type { Store } from '../../src/exports/ports.ts'
import type { Claim, Plan, Schedule, Tracking } from '../../src/exports/schedule.ts'
import { closedAfterTest } from './fixtures.ts'
import { START } from './records.ts'

/** A plan that a look may result in. */
export const plan: Plan = {
  dueAt: START + 90_000,
  intervalMs: 15_000,
  origin: 'pending',
  misses: 1,
  failures: 2,
}

/** Claims the most urgent of the exports that are due. @throws when none is due */
export const claimOne = async (schedule: Schedule, now: number): Promise<Claim> => {
  const { claims } = await schedule.claim(now, 1)
  const [claim] = claims
  if (claim === undefined) throw new Error('nothing is due')
  return claim
}

export const idsOf = (claims: readonly Claim[]): string[] => claims.map(({ ref }) => ref.exportId)

export const setUpSchedule = async (store: Store, tracked: readonly Tracking[]) => {
  const { schedule } = closedAfterTest(store)
  for (const tracking of tracked) await schedule.track(tracking)
  const claimIds = async (now: number, limit = 100) =>
    idsOf((await schedule.claim(now, limit)).claims)
  return { schedule, claimIds }
}
