import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import { finalOf, LIMITS, refOf, START, trackingOf, VISIBILITY_MS } from '../records.ts'

const ref = refOf('exp_A')

/** A small disk of its own: `undefined` where this process may mount none. It ends with the test. */
const mountDisk = (): string | undefined => {
  const directory = join(tempDirectory(), 'disk')
  mkdirSync(directory)
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', directory])
  if (status !== 0) return undefined
  onTestFinished(() => void spawnSync('umount', ['-l', directory]))
  return directory
}

const open = (path: string, options: { maxBytes?: number } = {}) =>
  createSqliteStore({
    ...{ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => START },
    ...options,
    sweepIntervalMs: 50,
  })

// Regression: readiness said ok, and a final status that had no room was never stored.
describe('a store on a full disk', () => {
  it('is not healthy, tells the finals that had no room, and stores them when there is room', async (test) => {
    const disk = mountDisk()
    if (disk === undefined && process.env.CI !== 'true')
      test.skip('needs the right to mount a disk')
    if (disk === undefined) throw new Error('no disk could be mounted')
    const path = join(disk, 'gateway.sqlite')
    const store = closedAfterTest(open(path))
    await store.schedule('default').track([trackingOf('exp_A')])
    expect(await store.healthy()).toBe(true)
    const filler = join(disk, 'filler')
    expect(() => writeFileSync(filler, Buffer.alloc(1_000_000))).toThrow(/ENOSPC/)
    await expect(store.results.put(ref, finalOf('z'.repeat(8_000)))).rejects.toThrow(/full/)
    expect(await store.healthy()).toBe(false)
    expect(await store.results.get(ref)).toMatchObject({ kind: 'final' })
    rmSync(filler)
    await expect.poll(() => store.healthy(), { timeout: 5_000 }).toBe(true)
    await store.close()
    const again = closedAfterTest(open(path))
    expect(await again.results.get(ref)).toMatchObject({ kind: 'final' })
  })

  it('is not healthy either when nothing had to be stored yet', async (test) => {
    const disk = mountDisk()
    if (disk === undefined && process.env.CI !== 'true')
      test.skip('needs the right to mount a disk')
    if (disk === undefined) throw new Error('no disk could be mounted')
    const store = closedAfterTest(open(join(disk, 'gateway.sqlite')))
    expect(() => writeFileSync(join(disk, 'filler'), Buffer.alloc(1_000_000))).toThrow(/ENOSPC/)
    expect(await store.healthy()).toBe(false)
    rmSync(join(disk, 'filler'))
    await expect.poll(() => store.healthy(), { timeout: 5_000 }).toBe(true)
  })
})

describe('a store whose file is at its bound', () => {
  it('tells what had no room, of which a final is never replaced by a guess', async () => {
    const store = closedAfterTest(
      open(join(tempDirectory(), 'gateway.sqlite'), { maxBytes: 90_000 }),
    )
    const large = finalOf('z'.repeat(8_000))
    let kept = 0
    const fill = async () => {
      for (; kept < 100; kept++) await store.results.put(refOf(`exp_${kept}`), large)
    }
    await expect(fill()).rejects.toThrow(/full/)
    const last = refOf(`exp_${kept}`)
    expect(await store.healthy()).toBe(false)
    const guess = { kind: 'timed-out', forgetAt: large.forgetAt } as const
    await store.results.put(last, guess).catch(() => {})
    expect((await store.results.getMany([refOf('exp_0'), last])).map((one) => one?.kind)).toEqual([
      'final',
      'final',
    ])
  })
})
