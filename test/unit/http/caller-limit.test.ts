import { describe, expect, it } from 'vitest'
import { createCallerLimit } from '../../../src/http/caller-limit.ts'

const setUp = (max: number) => {
  let time = 1_000
  const limit = createCallerLimit(max, () => time)
  const pass = (ms: number): void => {
    time += ms
  }
  return { limit, pass }
}

describe('the limit of a caller', () => {
  it('lets so many requests through in a minute, and says how long the others wait', () => {
    const { limit, pass } = setUp(2)
    expect([limit.take('crm'), limit.take('crm')]).toEqual([0, 0])
    pass(20_000)
    expect(limit.take('crm')).toBe(40_000)
  })

  it('begins anew after the minute', () => {
    const { limit, pass } = setUp(1)
    limit.take('crm')
    pass(59_999)
    expect(limit.take('crm')).toBe(1)
    pass(1)
    expect(limit.take('crm')).toBe(0)
    expect(limit.take('crm')).toBe(60_000)
  })

  it('counts each caller alone', () => {
    const { limit } = setUp(1)
    limit.take('crm')
    expect(limit.take('bi')).toBe(0)
  })
})
