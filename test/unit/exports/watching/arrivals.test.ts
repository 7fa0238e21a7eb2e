import { describe, expect, it, vi } from 'vitest'
import type { ExportRef } from '../../../../src/exports/export.ts'
import { Problem } from '../../../../src/problems.ts'
import { REF } from '../../../helpers/status-bodies.ts'
import { notFound, start } from './fixtures.ts'

const CRM = 'key:crm'

const idsOf = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...REF, exportId: `axp_${prefix}${index}` }))

/** A watch, with streams that ask for many exports at once. */
const startMany = () => {
  const one = start()
  const adopted = () => one.planned().filter((line) => line === 'adopt at once').length
  const open = (refs: readonly ExportRef[]) => refs.map((ref) => one.join(ref))
  return { ...one, adopted, open }
}

describe('exports on a stream that nobody has seen before', () => {
  it('are all looked at as soon as may be when nothing is counted', async () => {
    const { watch, adopted, open } = startMany()
    const refs = idsOf('New', 100)
    open(refs)
    await watch.firstOfMany(refs)
    expect(adopted()).toBe(100)
  })

  it('are looked at as the allowance of the caller permits', async () => {
    const { watch, adopted, open } = startMany()
    const refs = idsOf('New', 10)
    open(refs)
    await watch.firstOfMany(refs, CRM)
    expect(adopted()).toBe(4)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(adopted()).toBe(8)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(adopted()).toBe(10)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('take nothing from the allowance of another caller', async () => {
    const { watch, adopted, open } = startMany()
    const flood = idsOf('Flood', 100)
    open(flood)
    await watch.firstOfMany(flood, 'key:flood')
    const refs = idsOf('New', 4)
    open(refs)
    await watch.firstOfMany(refs, CRM)
    expect(adopted()).toBe(8)
  })

  it('cost nothing when nobody watches them any more', async () => {
    const { watch, adopted, open, arrivals } = startMany()
    const refs = idsOf('New', 100)
    const streams = open(refs)
    await watch.firstOfMany(refs, CRM)
    for (const { leave } of streams) leave()
    expect(refs.some((ref) => arrivals.isWaiting(ref))).toBe(false)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(adopted()).toBe(4)
  })

  it('cost nothing when somebody else has looked at them meanwhile', async () => {
    const { watch, hub, adopted, open } = startMany()
    const refs = idsOf('New', 8)
    open(refs)
    await watch.firstOfMany(refs, CRM)
    const { code, message } = notFound()
    for (const ref of refs.slice(4))
      hub.dispatch(ref, { kind: 'gone', code, detail: message }, 'here')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(adopted()).toBe(4)
  })

  it('are looked at by the allowance of a second caller who joins', async () => {
    const { watch, adopted, open } = startMany()
    const refs = idsOf('New', 100)
    open(refs)
    await watch.firstOfMany(refs, 'key:flood')
    open(refs.slice(90, 94))
    await watch.firstOfMany(refs.slice(90, 94), CRM)
    expect(adopted()).toBe(8)
  })

  it.each(['first', 'firstOfMany'] as const)(
    'are looked at by the allowance of a caller who joins by `%s` after a refusal was told',
    async (way) => {
      const { watch, adopted, open, read } = startMany()
      const flood = idsOf('Flood', 100)
      open([...flood, REF])
      await watch.firstOfMany(flood, 'key:flood')
      const told = watch.first(REF, 'key:flood')
      await vi.advanceTimersByTimeAsync(0)
      read().reject(new Problem('budget-exhausted', 'too many', { notSent: true }))
      await told
      expect(adopted()).toBe(4)
      await (way === 'first' ? watch.first(REF, CRM) : watch.firstOfMany([REF], CRM))
      expect(adopted()).toBe(5)
    },
  )

  it('are not looked at by the heartbeat before their time', async () => {
    const { watch, upkeep, known, adopted, open, planned } = startMany()
    const refs = idsOf('New', 10)
    open(refs)
    await watch.firstOfMany(refs, CRM)
    known.lost = refs
    await upkeep.renew()
    await upkeep.rejoin()
    expect(adopted()).toBe(4)
    expect(planned().filter((line) => line === 'adopt in an interval')).toHaveLength(8)
  })

  it('are looked at at once when lemlist has confirmed them', async () => {
    const { watch, known, adopted, open } = startMany()
    known.standing = 'followed'
    const refs = idsOf('Followed', 100)
    open(refs)
    await watch.firstOfMany(refs, CRM)
    expect(adopted()).toBe(100)
  })
})
