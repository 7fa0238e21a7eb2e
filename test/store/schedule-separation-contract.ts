import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/exports/ports.ts'
import type { Tracking } from '../../src/exports/schedule.ts'
import type { ScheduleLimits } from '../../src/store/tracked.ts'
import { closedAfterTest } from './fixtures.ts'
import { refOf, START, trackingOf } from './records.ts'
import { idsOf, roomFor } from './schedule-fixtures.ts'

const ofAccount = (account: string, id: string, but: Partial<Tracking> = {}): Tracking =>
  trackingOf(id, { ref: refOf(id, account), ...but })

/** What the schedules of two accounts in one store promise. `open` makes an empty store. */
export const describeSeparation = (
  name: string,
  open: (given?: { scheduleLimits?: Partial<ScheduleLimits> }) => Store,
): void => {
  const setUp = (scheduleLimits: Partial<ScheduleLimits> = {}) => {
    const store = closedAfterTest(open({ scheduleLimits }))
    return { store, sales: store.schedule('sales'), emea: store.schedule('emea') }
  }

  describe(`the schedules of two accounts of ${name}`, () => {
    it('are always the same objects for the same names', () => {
      const { store, sales, emea } = setUp()
      expect(store.schedule('sales')).toBe(sales)
      expect(store.schedule('emea')).toBe(emea)
      expect(sales).not.toBe(emea)
    })

    it('do not see each other’s exports', async () => {
      const { sales, emea } = setUp()
      await sales.track([ofAccount('sales', 'exp_A')])
      expect(await emea.find([refOf('exp_A', 'sales'), refOf('exp_A', 'emea')])).toEqual([
        undefined,
        undefined,
      ])
      expect(await emea.untrack(refOf('exp_A', 'sales'))).toBe(false)
      expect(await sales.find([refOf('exp_A', 'sales')])).toMatchObject([{ origin: 'pending' }])
    })

    it('do not claim each other’s exports', async () => {
      const { sales, emea } = setUp()
      await sales.track([ofAccount('sales', 'exp_A')])
      await emea.track([ofAccount('emea', 'exp_B', { dueAt: START + 5_000 })])
      const ofEmea = await emea.claim(START, roomFor(9))
      expect(ofEmea).toEqual({ claims: [], nextDueAt: START + 5_000 })
      const { claims } = await sales.claim(START, roomFor(9))
      expect(idsOf(claims)).toEqual(['exp_A'])
      for (const claim of claims) expect(await emea.reschedule(claim, claim)).toBe(false)
    })

    it('do not end what the other one watches when they renew', async () => {
      const { sales, emea } = setUp()
      await sales.track([ofAccount('sales', 'exp_A')])
      await sales.watch([{ ref: refOf('exp_A', 'sales') }])
      await emea.track([ofAccount('emea', 'exp_A')])
      expect(await emea.renew(() => [refOf('exp_A', 'emea')])).toEqual([refOf('exp_A', 'emea')])
      await emea.renew(() => [])
      expect(await sales.find([refOf('exp_A', 'sales')])).toMatchObject([{ watched: true }])
      expect(await sales.renew(() => [refOf('exp_A', 'sales')])).toEqual([])
    })

    it('have room for as many exports each as one alone', async () => {
      const { sales, emea } = setUp({ maxTracked: 2, maxUnconfirmed: 1 })
      const ids = ['exp_A', 'exp_B', 'exp_C']
      const refused = await sales.track(ids.map((id) => ofAccount('sales', id)))
      expect(refused).toEqual([refOf('exp_C', 'sales')])
      const unconfirmed = { origin: 'watched' } as const
      expect(await emea.adopt([ofAccount('emea', 'exp_A', unconfirmed)])).toEqual([])
      expect(await emea.track([ofAccount('emea', 'exp_B')])).toEqual([])
    })
  })
}
