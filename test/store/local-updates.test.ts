import { describe, expect, it } from 'vitest'
import { createLocalUpdates } from '../../src/store/local-updates.ts'
import { refOf } from './records.ts'

const update = { kind: 'trouble', code: 'upstream-timeout', detail: 'slow' } as const

describe('updates of one process', () => {
  it('have reached the listener when publish returns', () => {
    const updates = createLocalUpdates()
    let told = 0
    updates.listen(() => told++)
    // Not awaited: the listener is called without a turn of the event loop.
    const published = updates.publish(refOf('exp_A'), update)
    expect(told).toBe(1)
    return published
  })

  it('reject a publish when the listener throws, and go on after that', async () => {
    const updates = createLocalUpdates()
    let calls = 0
    updates.listen(() => {
      if (calls++ === 0) throw new Error('a bug')
    })
    await expect(updates.publish(refOf('exp_A'), update)).rejects.toThrow('a bug')
    await updates.publish(refOf('exp_A'), update)
    expect(calls).toBe(2)
  })
})
