import { describe, expect, it } from 'vitest'
import { createCallerLimit } from '../../../src/http/caller-limit.ts'

describe('the limit of a caller', () => {
  it('lets so many requests through in a minute, and says how long the others wait', () => {
    const limit = createCallerLimit(2)
    expect([limit.take('crm', 1_000), limit.take('crm', 1_000)]).toEqual([0, 0])
    expect(limit.take('crm', 21_000)).toBe(40_000)
  })

  it('begins anew after the minute', () => {
    const limit = createCallerLimit(1)
    limit.take('crm', 1_000)
    expect(limit.take('crm', 60_999)).toBe(1)
    expect(limit.take('crm', 61_000)).toBe(0)
    expect(limit.take('crm', 61_000)).toBe(60_000)
  })

  it('counts each caller alone', () => {
    const limit = createCallerLimit(1)
    limit.take('crm', 1_000)
    expect(limit.take('bi', 1_000)).toBe(0)
  })

  it('forgets the minute that began first when there are too many callers', () => {
    let usedPart = (): unknown => undefined
    const limit = createCallerLimit(1, (_name, measure) => {
      usedPart = measure
    })
    limit.take('old', 0)
    limit.take('crm', 1_000)
    limit.take('old', 60_000)
    for (let count = 2; count <= 10_000; count += 1) limit.take(`caller-${count}`, 60_500)
    expect(usedPart()).toBe(1)
    // The minute of `crm` began first: `old` has had another one since.
    expect([limit.take('old', 60_600), limit.take('crm', 60_600)]).toEqual([59_400, 0])
    expect(usedPart()).toBe(1)
  })
})
