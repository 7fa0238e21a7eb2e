import type { Store } from '../../src/exports/ports.ts'
import type {
  Claim,
  PerClass,
  Plan,
  Schedule,
  Tracked,
  Tracking,
} from '../../src/exports/schedule.ts'
import { closedAfterTest } from './fixtures.ts'
import { refOf, START } from './records.ts'

/** A plan that a look may result in. */
export const plan: Plan = {
  dueAt: START + 90_000,
  lookedAt: START + 75_000,
  intervalMs: 15_000,
  origin: 'pending',
  misses: 1,
  failures: 2,
  agedLooks: 1,
}

/** Room for so many exports of each class. */
export const roomFor = (count: number): PerClass => ({
  watched: count,
  idle: count,
  unconfirmed: count,
})

/**
 * Claims the export that was looked at longest ago in the first class that has a due one.
 *
 * @throws when none is due
 */
export const claimOne = async (schedule: Schedule, now: number): Promise<Claim> => {
  const [claim] = (await schedule.claim(now, roomFor(1))).claims
  if (claim === undefined) throw new Error('nothing is due')
  return claim
}

export const findOne = async (schedule: Schedule, exportId: string): Promise<Tracked | undefined> =>
  (await schedule.find([refOf(exportId)]))[0]

export const idsOf = (claims: readonly Claim[]): string[] => claims.map(({ ref }) => ref.exportId)

/** Tells the schedule that this replica watches these exports. */
export const watchAll = (schedule: Schedule, ids: readonly string[], dueBy?: number) =>
  schedule.watch(ids.map((id) => ({ ref: refOf(id), ...(dueBy !== undefined && { dueBy }) })))

export const setUpSchedule = async (store: Store, tracked: readonly Tracking[]) => {
  const schedule = closedAfterTest(store).schedule('default')
  for (const tracking of tracked) await schedule.track([tracking])
  const claimIds = async (now: number, room = roomFor(100)) =>
    idsOf((await schedule.claim(now, room)).claims)
  return { schedule, claimIds }
}
