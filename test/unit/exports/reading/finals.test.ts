import { describe, expect, it } from 'vitest'
import { createFinals } from '../../../../src/exports/reading/finals.ts'
import { DAY, snapshotOf } from '../../../helpers/fakes.ts'
import { REF } from '../../../helpers/status-bodies.ts'

const NOW = Date.UTC(2026, 0, 2)
const begin = () => createFinals(() => {})
const recordOf = (state: string) => {
  const snapshot = { ...snapshotOf(state, NOW), endOfLife: NOW + DAY }
  return { kind: 'final', snapshot, forgetAt: NOW + 2 * DAY } as const
}

describe('the finals in memory', () => {
  it('hold a record for its export', () => {
    const finals = begin()
    expect(finals.get(REF)).toBeUndefined()
    finals.set(REF, recordOf('done'))
    expect(finals.get({ ...REF })).toEqual(recordOf('done'))
  })

  it.each([{ account: 'another' }, { campaignId: 'cam_another' }, { exportId: 'axp_another' }])(
    'give nothing to an export with %j',
    (other) => {
      const finals = begin()
      finals.set(REF, recordOf('done'))
      expect(finals.get({ ...REF, ...other })).toBeUndefined()
    },
  )

  it('hold the later of two exports that have one id', () => {
    const finals = begin()
    const other = { ...REF, campaignId: 'cam_another' }
    finals.set(REF, recordOf('done'))
    finals.set(other, recordOf('error'))
    expect(finals.get(other)).toEqual(recordOf('error'))
    expect(finals.get(REF)).toBeUndefined()
  })
})
