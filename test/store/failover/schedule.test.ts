import { describe, expect, it } from 'vitest'
import { keyOf } from '../../../src/exports/export.ts'
import { createStandInSchedule } from '../../../src/store/failover/schedule.ts'
import { createLocalSchedule } from '../../../src/store/local-schedule.ts'
import type { Restoring } from '../../../src/store/redis/schedule.ts'
import { refOf, trackingOf, VISIBILITY_MS } from '../records.ts'
import { findOne, plan, roomFor } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')
const unconfirmed = (id: string) => trackingOf(id, { origin: 'watched' })

/** A schedule in memory takes the place of Redis. The test makes it fail. */
const setUp = () => {
  const restored: string[] = []
  let isUp = true
  /** While this is set, every operation waits for it, and rejects with it. */
  let failure: Promise<never> | undefined
  const there = createLocalSchedule({ visibilityMs: VISIBILITY_MS })
  const primary = {
    schedule: {
      ...there,
      restore: async (rows: readonly Restoring[]) => {
        restored.push(...rows.map(({ tracking }) => tracking.ref.exportId))
      },
    },
    results: {
      get: async () => undefined,
      getMany: async (refs: readonly unknown[]) => refs.map(() => undefined),
      put: async () => {
        throw new Error('no result is put here')
      },
    },
  }
  const goAway = () => {
    if (isUp) schedule.goAway()
    isUp = false
  }
  const schedule = createStandInSchedule(
    primary,
    {
      isUp: () => isUp,
      either: async (onRedis, here) => {
        if (!isUp) return here()
        try {
          return await (failure ?? onRedis())
        } catch {
          goAway()
          return here()
        }
      },
    },
    { visibilityMs: VISIBILITY_MS },
  )
  const failLater = () => {
    const late = Promise.withResolvers<never>()
    failure = late.promise
    return () => late.reject(new Error('away'))
  }
  return { schedule, goAway, failLater, restored }
}

describe('the schedule that stands in for Redis', () => {
  it('keeps what joined while a heartbeat waited for Redis in vain', async () => {
    // Regression: the heartbeat named what was watched when it began, and dropped all later exports.
    const { schedule, goAway, failLater } = setUp()
    const fail = failLater()
    let here = [ref]
    const renewed = schedule.renew(() => here)
    goAway()
    here = [ref, refOf('exp_new')]
    await schedule.adopt([unconfirmed('exp_A'), unconfirmed('exp_new')])
    fail()
    await renewed
    expect(await findOne(schedule, 'exp_new')).toMatchObject({ watched: true })
  })

  it('drops nothing of a watcher who came back while Redis was told in vain that he left', async () => {
    // Regression: the late `unwatch` dropped the export of a watcher who had come back meanwhile.
    const { schedule, goAway, failLater } = setUp()
    await schedule.adopt([unconfirmed('exp_A')])
    const fail = failLater()
    const told = schedule.unwatch([ref])
    goAway()
    await schedule.adopt([unconfirmed('exp_A')])
    fail()
    await told
    expect(await findOne(schedule, 'exp_A')).toMatchObject({ watched: true })
    await schedule.unwatch([ref])
    expect(await findOne(schedule, 'exp_A')).toBeUndefined()
  })

  it.each(['before', 'after'])(
    'puts back an export that a poll confirmed %s Redis went away',
    async (when) => {
      // Regression: an empty Redis lost such an export, and nobody polled it any more.
      const { schedule, goAway, restored } = setUp()
      if (when === 'after') goAway()
      await schedule.adopt([unconfirmed('exp_A'), unconfirmed('exp_B')])
      const { claims } = await schedule.claim(Date.now(), roomFor(5))
      const claim = claims.find((one) => keyOf(one.ref) === keyOf(ref))
      if (claim === undefined) throw new Error('nothing is due')
      expect(await schedule.reschedule(claim, plan)).toBe(true)
      await schedule.unwatch([ref])
      goAway()
      schedule.recall()
      await schedule.settle()
      expect(restored).toEqual(['exp_A'])
    },
  )
})
