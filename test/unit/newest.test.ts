import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyOf } from '../../src/exports/export.ts'
import { mergedNewest } from '../../src/exports/newest.ts'
import { createNewest } from '../../src/store/newest.ts'

const refOf = (campaignId: string, exportId: string) => ({
  account: 'default',
  campaignId,
  exportId,
})
const action = fc.record({
  kind: fc.constantFrom('put', 'put', 'remove'),
  campaignId: fc.constantFrom('cam_A', 'cam_B'),
  exportId: fc.integer({ min: 0, max: 60 }).map((n) => `exp_${n}`),
  at: fc.integer({ min: 0, max: 30 }),
})

describe('the newest exports of a campaign', () => {
  it('are those of a plain list that is sorted each time', () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 600 }), (actions) => {
        const newest = createNewest()
        const model = new Map<string, { ref: ReturnType<typeof refOf>; firstSeenAt: number }>()
        for (const { kind, campaignId, exportId, at } of actions) {
          const ref = refOf(campaignId, exportId)
          if (kind === 'put') {
            newest.put(ref, at)
            model.set(keyOf(ref), { ref, firstSeenAt: at })
          } else {
            newest.remove(keyOf(ref))
            model.delete(keyOf(ref))
          }
        }
        for (const campaignId of ['cam_A', 'cam_B']) {
          const own = [...model.values()].filter(({ ref }) => ref.campaignId === campaignId)
          own.sort(
            (one, other) =>
              other.firstSeenAt - one.firstSeenAt ||
              (one.ref.exportId < other.ref.exportId ? 1 : -1),
          )
          expect(newest.of({ account: 'default', campaignId }, 7)).toEqual(own.slice(0, 7))
          const isEven = (key: string) => Number(key.split('_').at(-1)) % 2 === 0
          const even = own.filter(({ ref }) => isEven(ref.exportId))
          expect(newest.of({ account: 'default', campaignId }, 99, isEven)).toEqual(even)
        }
      }),
      { numRuns: 200, seed: 1 },
    )
  })

  it('of several lists are each told once, from the first list that has it', () => {
    const seen = (id: string, firstSeenAt: number, from: string) => ({
      ...{ ref: refOf('cam_A', id), firstSeenAt, from },
    })
    const lists = [[seen('exp_A', 3, 'one'), seen('exp_B', 1, 'one')], [seen('exp_A', 2, 'two')]]
    const merged = mergedNewest([...lists, [seen('exp_C', 4, 'two')]], 2)
    expect(merged).toEqual([seen('exp_C', 4, 'two'), seen('exp_A', 3, 'one')])
  })
})
