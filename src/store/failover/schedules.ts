import type { Schedule } from '../../exports/schedule.ts'
import { perAccount } from '../per-account.ts'
import type { RedisStore } from '../redis/store.ts'
import { createStandInSchedule } from './schedule.ts'
import type { FailoverOptions, Restored, Switch } from './switch.ts'

/** The schedules of all accounts. They leave Redis, and come back to it, together. */
export interface StandInSchedules extends Restored {
  /** The schedule of an account, always the same object for the same name. */
  of(account: string): Schedule
  goAway(): void
}

export const createStandInSchedules = (
  primary: Pick<RedisStore, 'schedule' | 'results'>,
  toggle: Switch,
  options: Pick<FailoverOptions, 'visibilityMs' | 'scheduleLimits'>,
): StandInSchedules => {
  const schedules = perAccount((account) =>
    createStandInSchedule(
      { schedule: primary.schedule(account), results: primary.results },
      toggle,
      options,
    ),
  )
  return {
    of: schedules.of,
    goAway: () => {
      for (const schedule of schedules.all()) schedule.goAway()
    },
    recall: () => {
      for (const schedule of schedules.all()) schedule.recall()
    },
    settle: async () => {
      for (const schedule of schedules.all()) await schedule.settle()
    },
    isSettled: () => schedules.all().every((schedule) => schedule.isSettled()),
  }
}
