import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import type { Topic } from '../../../../src/exports/watching/topic.ts'
import {
  campaignPart,
  campaignStateId,
  longestStateId,
  toldBefore,
} from '../../../../src/http/events/campaign-frames.ts'
import { createCampaignLines, MOST_LINES } from '../../../../src/http/events/campaign-lines.ts'
import type { Told } from '../../../../src/http/events/lines.ts'
import { snapshotOf } from '../../../helpers/fakes.ts'

const refOf = (number: number): ExportRef => ({
  ...{ account: 'default', campaignId: 'cam_A', exportId: `axp_N${number}` },
})
const stateOf = (all: readonly Told[]) => campaignStateId(all.map(campaignPart))
const trouble = { kind: 'trouble', code: 'upstream-unavailable', detail: 'later' } as const
const gone = { kind: 'gone', code: 'export-timed-out', detail: 'over' } as const

const told = fc
  .record({
    number: fc.integer({ min: 0, max: 500 }),
    text: fc.option(fc.constantFrom('one', 'two', 'three'), { nil: undefined }),
    word: fc.constantFrom(undefined, trouble, gone),
  })
  .map(({ number, text, word }) => ({
    ...{ ref: refOf(number), word },
    snapshot: text === undefined ? undefined : snapshotOf('pending', 1, text),
  }))

describe('the id of the state of a campaign', () => {
  it('names what was told of each export, and nothing else', () => {
    const unique = fc.uniqueArray(told, {
      selector: ({ ref }) => ref.exportId,
      maxLength: MOST_LINES,
    })
    fc.assert(
      fc.property(unique, told, (all, other) => {
        const id = stateOf(all)
        expect(id.length).toBeLessThanOrEqual(longestStateId(all.length))
        expect(id).toMatch(/^c\.[\w-]*$/)
        const wasTold = toldBefore(id)
        for (const one of all) {
          expect(wasTold?.(one)).toBe(one.snapshot !== undefined || one.word !== undefined)
        }
        const same = all.find(({ ref }) => ref.exportId === other.ref.exportId)
        const isSame =
          same !== undefined && stateOf([same]) === stateOf([other]) && stateOf([same]) !== 'c.'
        expect(wasTold?.(other)).toBe(isSame)
      }),
      { numRuns: 300, seed: 1 },
    )
  })

  it('tells trouble and its end, a change of the body, and the end of the export apart', () => {
    const ref = refOf(1)
    const snapshot = snapshotOf('pending', 1, 'one')
    const states = [
      { ref, snapshot, word: undefined },
      { ref, snapshot: snapshotOf('pending', 1, 'two'), word: undefined },
      { ref, snapshot, word: trouble },
      { ref, snapshot, word: gone },
      { ref: refOf(2), snapshot: snapshotOf('pending', 1, 'one'), word: undefined },
    ]
    expect(new Set(states.map((one) => stateOf([one]))).size).toBe(states.length)
  })
})

describe('the exports of a stream of a campaign', () => {
  const setUp = () => {
    const told: string[] = []
    const done = new Set<string>()
    const [joined, lines] = [new Set<string>(), new Set<string>()]
    const campaign = createCampaignLines({
      stream: {
        news: {
          admit: ({ exportId }) => void lines.add(exportId),
          dismiss: ({ exportId }) => void lines.delete(exportId),
          refs: () => [...lines].map((exportId) => ({ ...refOf(0), exportId })),
          tellsOf: ({ exportId }) => lines.has(exportId),
          isDone: ({ exportId }) => done.has(exportId),
        },
        ...{ changed: () => {}, confirmed: () => {} },
      },
      watch: {
        join: (ref): Topic => {
          joined.add(ref.exportId)
          return { ref, snapshot: undefined, word: undefined, heardAt: 0 }
        },
        leave: ({ exportId }) => void joined.delete(exportId),
        firstOfMany: async (refs) => void told.push(...refs.map(({ exportId }) => exportId)),
        confirm: async (refs) => void told.push(...refs.map(({ exportId }) => `${exportId}?`)),
      },
      ...{ callerId: undefined, isDoubted: true },
      failed: (error) => {
        throw error
      },
    })
    return { campaign, told, done, joined, lines }
  }
  const refs = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => refOf(from + index))

  it('are each told once; only those of the beginning are doubted', () => {
    const { campaign, told } = setUp()
    campaign.begin(refs(0, 3))
    campaign.appeared(refs(1, 4))
    expect(told).toEqual(['axp_N2?', 'axp_N1?', 'axp_N0?', 'axp_N3'])
  })

  it('leave over the bound: those whose end was told first, then those that came first', () => {
    const { campaign, done, joined, lines } = setUp()
    campaign.begin(refs(0, 100))
    campaign.appeared(refs(100, MOST_LINES))
    expect(lines.size).toBe(MOST_LINES)
    done.add('axp_N70').add('axp_N50')
    campaign.appeared(refs(MOST_LINES, MOST_LINES + 1))
    expect([lines.has('axp_N50'), lines.has('axp_N70'), lines.has('axp_N0')]).toEqual([
      ...[false, true, true],
    ])
    campaign.appeared(refs(MOST_LINES + 1, MOST_LINES + 4))
    expect(['axp_N70', 'axp_N0', 'axp_N1', 'axp_N2'].map((id) => lines.has(id))).toEqual([
      ...[false, false, false, true],
    ])
    expect(joined).toEqual(lines)
    expect(lines.size).toBe(MOST_LINES)
  })

  it('are left when the stream is over, and none comes after that', async () => {
    const { campaign, joined } = setUp()
    campaign.begin(refs(0, 5))
    campaign.close()
    campaign.appeared(refs(5, 6))
    await expect.poll(() => joined.size).toBe(0)
  })
})
