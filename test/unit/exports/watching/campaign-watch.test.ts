import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import type { Update } from '../../../../src/exports/ports.ts'
import {
  createCampaignWatch,
  MOST_LISTED,
} from '../../../../src/exports/watching/campaign-watch.ts'
import { DAY, snapshotOf } from '../../../helpers/fakes.ts'

const CAMPAIGN = { account: 'default', campaignId: 'cam_A' }
const refOf = (exportId: string, campaignId = 'cam_A'): ExportRef => ({
  ...{ account: 'default', campaignId, exportId },
})
const followed: Update = { kind: 'followed' }
const status = (state: string): Update => ({
  ...{ kind: 'status', snapshot: { ...snapshotOf(state, 1), endOfLife: DAY } },
})

const setUp = () => {
  /** What the store has, those first seen first. */
  const known: string[] = []
  const asked: number[] = []
  let gate: Promise<void> | undefined
  const watch = createCampaignWatch({
    newest: async ({ campaignId }, limit) => {
      asked.push(limit)
      const now = [...known].reverse().slice(0, limit)
      await gate
      return now.map((exportId, index) => ({
        ...{ ref: refOf(exportId, campaignId), state: 'pending', firstSeenAt: -index },
        ...{ observedAt: 0, snapshot: undefined },
      }))
    },
  })
  const join = async () => {
    const appeared: string[] = []
    const subscriber = {
      appeared: (refs: readonly ExportRef[]) =>
        void appeared.push(...refs.map(({ exportId }) => exportId)),
    }
    const first = await watch.join(CAMPAIGN, subscriber)
    return { first: first.map(({ exportId }) => exportId), appeared, subscriber }
  }
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    return () => {
      gate = undefined
      resolve()
    }
  }
  return { watch, known, asked, join, hold }
}

describe('those who watch a campaign', () => {
  it('share one read of its newest exports, and are told of what comes into the list', async () => {
    const { watch, known, asked, join } = setUp()
    known.push('axp_A', 'axp_B')
    const [one, other] = await Promise.all([join(), join()])
    const late = await join()
    expect([one.first, other.first, late.first]).toEqual(Array(3).fill(['axp_A', 'axp_B']))
    expect(asked).toEqual([MOST_LISTED])
    known.push('axp_C')
    watch.hear(refOf('axp_C'), followed)
    await expect.poll(() => [one.appeared, other.appeared]).toEqual([['axp_C'], ['axp_C']])
    expect((await join()).first).toEqual(['axp_A', 'axp_B', 'axp_C'])
    expect(asked).toHaveLength(2)
  })

  it('cause no read by news of exports that are in the list, are pending, or are elsewhere', async () => {
    const { watch, known, asked, join } = setUp()
    known.push('axp_A')
    await join()
    watch.hear(refOf('axp_A'), followed)
    watch.hear(refOf('axp_A'), status('done'))
    watch.hear(refOf('axp_B'), status('pending'))
    watch.hear(refOf('axp_B', 'cam_B'), followed)
    watch.hear({ ...refOf('axp_B'), account: 'theirs' }, followed)
    watch.hear(refOf('axp_B'), { kind: 'trouble', code: 'internal', detail: '' })
    expect(asked).toHaveLength(1)
  })

  it('miss nothing that becomes known during a read', async () => {
    const { watch, known, asked, join, hold } = setUp()
    const one = await join()
    const release = hold()
    watch.hear(refOf('axp_A'), followed)
    known.push('axp_A', 'axp_B')
    for (const id of ['axp_A', 'axp_B']) watch.hear(refOf(id), status('done'))
    release()
    await expect.poll(() => one.appeared).toEqual(['axp_A', 'axp_B'])
    expect(asked).toHaveLength(3)
  })

  it('are told at a heartbeat what no message has told, and nothing when they have left', async () => {
    const { watch, known, asked, join } = setUp()
    const [one, other] = [await join(), await join()]
    known.push('axp_A')
    watch.leave(CAMPAIGN, other.subscriber)
    await watch.renew()
    expect([one.appeared, other.appeared]).toEqual([['axp_A'], []])
    watch.leave(CAMPAIGN, one.subscriber)
    await watch.renew()
    watch.hear(refOf('axp_B'), followed)
    expect(asked).toHaveLength(2)
  })
})
