import { describe, expect, it, vi } from 'vitest'
import { type ExportRef, keyOf } from '../../../../src/exports/export.ts'
import { createAttendance } from '../../../../src/exports/following/attendance.ts'
import { fakeSchedule, trackingOf } from '../../../helpers/fake-schedule.ts'
import { useFakeTime } from '../../../helpers/fake-time.ts'
import { fakeObserver } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const MINUTE = 60_000
const INTERVALS = {
  firstMs: 1_000,
  intervalMs: 5_000,
  maxIntervalMs: 15_000,
  idleIntervalMs: MINUTE,
}

const refOf = (number: number): ExportRef => ({ ...REF, exportId: `axp_${number}` })
const range = (count: number) => Array.from({ length: count }, (_, index) => index)

const start = () => {
  useFakeTime()
  const schedule = fakeSchedule()
  const observer = fakeObserver()
  const here = new Set<string>()
  const due: number[] = []
  const attendance = createAttendance({
    schedule,
    observer,
    intervals: INTERVALS,
    alarm: { set: (dueAt) => void due.push(dueAt - Date.now()) },
    isWatched: (ref) => here.has(keyOf(ref)),
    random: () => 0,
  })
  const come = (ref: ExportRef) => {
    here.add(keyOf(ref))
    attendance.came(ref)
  }
  const leave = (ref: ExportRef) => {
    here.delete(keyOf(ref))
    attendance.left(ref)
  }
  const row = async (ref = REF) => {
    const [kept] = await schedule.find([ref])
    return kept && { ...kept, ref: undefined, dueInMs: kept.dueAt - Date.now() }
  }
  const turns = () => vi.advanceTimersByTimeAsync(1)
  return { attendance, schedule, observer, here, due, come, leave, row, turns }
}

describe('the attendance', () => {
  it('tells the schedule in one call who came in a turn of the event loop, and in one who left', async () => {
    const { schedule, come, leave, turns } = start()
    await schedule.track(range(4).map((number) => trackingOf(refOf(number))))
    schedule.asked.length = 0
    for (const number of range(3)) come(refOf(number))
    await turns()
    expect(schedule.asked).toEqual(['watch'])
    leave(refOf(0))
    leave(refOf(1))
    come(refOf(3))
    await turns()
    expect(schedule.asked).toEqual(['watch', 'watch', 'unwatch'])
    const found = await schedule.find(range(4).map(refOf))
    expect(found.map((one) => one?.watched)).toEqual([false, false, true, true])
  })

  it('tells only the latest about an export, however often its watchers came and left', async () => {
    const { schedule, come, leave, row, turns } = start()
    await schedule.track([trackingOf(REF)])
    come(REF)
    leave(REF)
    come(REF)
    await turns()
    expect(await row()).toMatchObject({ watched: true })
  })

  it('drops nothing of a watcher who comes back while the schedule is still being told', async () => {
    // Regression: the schedule dropped the export of a watcher who came back within milliseconds.
    const { attendance, schedule, come, leave, row, turns } = start()
    const { promise: told, resolve } = Promise.withResolvers<void>()
    const { watch } = schedule
    schedule.watch = async (watched) => {
      await watch(watched)
      await told
    }
    come(REF)
    await attendance.adopt([{ ref: REF }], 'at once')
    come(refOf(1))
    leave(REF)
    await turns()
    come(REF)
    await attendance.adopt([{ ref: REF }], 'at once')
    resolve()
    await turns()
    expect(await row()).toMatchObject({ origin: 'watched', watched: true })
  })

  it('tells the schedule of very many exports in slices, each in a turn of its own', async () => {
    const { schedule, come, turns } = start()
    for (const number of range(1_200)) come(refOf(number))
    for (let turn = 0; turn < 3; turn += 1) await turns()
    expect(schedule.asked).toEqual(['watch', 'watch', 'watch'])
  })

  it('brings the next look forward to the pace of watched exports, counted from the last look', async () => {
    const { attendance, schedule, come, row, due } = start()
    const now = Date.now()
    await schedule.track([trackingOf(REF, { firstSeenAt: now - 20_000, dueAt: now + MINUTE })])
    come(REF)
    await attendance.hasten([{ ref: REF, firstSeenAt: now - 20_000, observedAt: now - 2_000 }])
    expect(await row()).toMatchObject({ dueInMs: 3_000, watched: true })
    expect(due).toEqual([3_000])
  })

  it('counts the age of an export from the time when any replica first saw it', async () => {
    const { attendance, schedule, come, row } = start()
    const now = Date.now()
    await schedule.track([trackingOf(REF, { firstSeenAt: now - MINUTE, dueAt: now + MINUTE })])
    come(REF)
    await attendance.hasten([{ ref: REF, firstSeenAt: now, observedAt: now }])
    expect(await row()).toMatchObject({ dueInMs: 10_000 })
  })

  it.each([
    ['at once', 0, 0],
    ['in an interval', 5_000, 0],
    ['in the longest interval', 15_000, 0],
    ['after a failure', 10_000, 1],
  ] as const)('makes an export that is not tracked due %s', async (soon, dueInMs, failures) => {
    const { attendance, come, row, due } = start()
    come(REF)
    expect(await attendance.adopt([{ ref: REF }], soon)).toEqual([])
    expect(await row()).toMatchObject({ dueInMs, failures, origin: 'watched', watched: true })
    expect(due).toEqual([dueInMs])
  })

  it('tracks an export that was seen pending as a confirmed one', async () => {
    const { attendance, come, row } = start()
    come(REF)
    await attendance.adopt([{ ref: REF, firstSeenAt: 1_000 }], 'in an interval')
    expect(await row()).toMatchObject({ origin: 'pending', firstSeenAt: 1_000 })
  })

  it('adopts nothing that nobody watches any more', async () => {
    // The gateway would follow such an export for ever, because its last watcher has already left.
    const { attendance, come, leave, row } = start()
    come(REF)
    leave(REF)
    await attendance.adopt([{ ref: REF }], 'at once')
    await attendance.hasten([{ ref: REF, firstSeenAt: 0, observedAt: 0 }])
    expect(await row()).toBeUndefined()
  })

  it('returns the exports that the schedule has no room for, and tells the operator', async () => {
    const { attendance, schedule, observer, come } = start()
    schedule.adopt = async () => [REF]
    come(REF)
    expect(await attendance.adopt([{ ref: REF }], 'at once')).toEqual([REF])
    expect(observer.told).toEqual(['scheduleFull 1'])
  })

  it('goes on when the store fails, and reports every operation', async () => {
    const { attendance, schedule, observer, come, turns } = start()
    schedule.failure = new Error('away')
    come(REF)
    await turns()
    await attendance.adopt([{ ref: REF }], 'at once')
    await attendance.hasten([{ ref: REF, firstSeenAt: 0, observedAt: 0 }])
    await attendance.renew(() => [REF])
    expect(observer.told.map((line) => line.replace('storeFailed schedule.', ''))).toEqual([
      ...['watch', 'adopt', 'find', 'watch', 'renew'],
    ])
  })
})
