import { describe, expect, it, vi } from 'vitest'
import { DAY, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'
import { start } from './fixtures.ts'

describe('a renewal', () => {
  const final = () => ({ ...snapshotOf('done', Date.now()), endOfLife: Date.now() + DAY })

  it('renews the exports that are watched, and asks for nothing when there are none', async () => {
    const { upkeep, join, planned, results } = start()
    await upkeep.renew()
    expect([planned(), results.asked]).toEqual([[], []])
    join()
    await upkeep.renew()
    expect([planned(), results.asked]).toEqual([['renew 1'], ['getMany']])
  })

  it('tells an end that the bus has lost', async () => {
    const { upkeep, results, join } = start()
    const { told } = join()
    await results.put(REF, { kind: 'final', snapshot: final(), forgetAt: Date.now() + 2 * DAY })
    await upkeep.renew()
    expect(told).toEqual(['done'])
  })

  it('tells a verdict that the bus has lost', async () => {
    // Regression: watchers on other replicas were told the verdict only when the export was
    // rescued, almost a minute later.
    const { upkeep, results, join } = start()
    const { told } = join()
    await results.put(REF, { kind: 'timed-out', forgetAt: Date.now() + DAY })
    await upkeep.renew()
    expect(told).toEqual(['export-timed-out'])
  })

  it('rescues an export that has been silent for three of the longest intervals', async () => {
    const { upkeep, join, planned } = start()
    join()
    await vi.advanceTimersByTimeAsync(44_999)
    await upkeep.renew()
    expect(planned()).toEqual(['renew 1'])
    await vi.advanceTimersByTimeAsync(1)
    await upkeep.renew()
    expect(planned()).toEqual(['renew 1', 'renew 1', 'adopt in the longest interval'])
  })

  it('rescues an export that was seen as one that lemlist has confirmed', async () => {
    const { upkeep, hub, join, planned } = start()
    join()
    const snapshot = snapshotOf('pending', Date.now())
    hub.dispatch(REF, { kind: 'status', snapshot }, 'here')
    await vi.advanceTimersByTimeAsync(60_000)
    await upkeep.renew()
    expect(planned()).toEqual(['renew 1', 'adopt in the longest interval as confirmed'])
  })

  it('has an export looked at within an interval that the schedule has lost', async () => {
    // Regression: after a late heartbeat nobody polled an unconfirmed export for half a minute.
    const { upkeep, known, join, planned } = start()
    join()
    join({ ...REF, exportId: 'axp_1' })
    known.lost = [REF]
    await upkeep.renew()
    expect(planned()).toEqual(['renew 2', 'adopt in an interval'])
  })

  it('reads the ends of very many exports in slices', async () => {
    const { upkeep, join, results } = start()
    for (let number = 0; number < 1_200; number += 1) join({ ...REF, exportId: `axp_${number}` })
    const renewed = upkeep.renew()
    await vi.advanceTimersByTimeAsync(10)
    await renewed
    expect(results.asked).toEqual(Array.from({ length: 6 }, () => 'getMany'))
  })

  // Regression: while Redis was away for both replicas, a stream waited 60 s for its end.
  it('after a change of the schedule has every export that is watched here looked at within an interval', async () => {
    const { upkeep, join, planned } = start()
    join()
    await upkeep.rejoin()
    expect(planned()).toEqual(['adopt in an interval', 'renew 1'])
  })

  it('goes on when the store fails', async () => {
    const { upkeep, results, observer, join, planned } = start()
    join()
    await vi.advanceTimersByTimeAsync(60_000)
    results.failure = new Error('away')
    await upkeep.renew()
    expect([observer.told, planned()]).toEqual([
      ['storeFailed results.getMany'],
      ['renew 1', 'adopt in the longest interval'],
    ])
  })
})
