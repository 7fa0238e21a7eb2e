import { describe, expect, it } from 'vitest'
import { createBacklog } from '../../src/store/failover/backlog.ts'

describe('the list of what Redis has not got yet', () => {
  it('forgets the oldest keys when Redis stays away, also after a put that failed', async () => {
    let fails = true
    const put: string[] = []
    let measure = (): unknown => undefined
    const backlog = createBacklog(
      async (keys) => {
        if (fails) throw new Error('Redis is away')
        put.push(...keys)
      },
      {
        name: 'to-restore',
        maxKeys: 3,
        bounds: (_, usedPart) => {
          measure = usedPart
        },
      },
    )
    for (const key of ['a', 'b', 'a', 'c', 'd']) backlog.add(key)
    expect(measure()).toBe(1)
    await expect(backlog.flush()).rejects.toThrow('away')
    backlog.add('e')
    fails = false
    await backlog.flush()
    expect(put).toEqual(['c', 'd', 'e'])
    expect([backlog.isEmpty(), measure()]).toEqual([true, 0])
  })
})
