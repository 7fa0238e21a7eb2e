import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { processLoad } from '../../../src/telemetry/process-load.ts'

const GIB = 2 ** 30

/** A process in a container that may have 16 GiB, so that the heap of the tests hardly counts. */
const startLoad = () => {
  vi.spyOn(process, 'constrainedMemory').mockReturnValue(16 * GIB)
  const rss = vi.spyOn(process.memoryUsage, 'rss')
  const load = processLoad()
  onTestFinished(() => {
    load.close()
    vi.restoreAllMocks()
  })
  /** The memory at the last of so many samples. */
  const memory = (resident: number, samples = 1): number => {
    rss.mockReturnValue(resident)
    let last = 0
    for (let count = 0; count < samples; count += 1) last = load.sample().memory
    return last
  }
  return { load, rss, memory }
}

describe('the load of the process', () => {
  // The gateway stopped: node reads the resident memory from a file, and no descriptor was left.
  it('can be read while no file can be opened', () => {
    const { load, rss, memory } = startLoad()
    expect(memory(14 * GIB)).toBeCloseTo(0.87, 1)
    rss.mockImplementation(() => {
      throw new Error('EMFILE: too many open files, uv_resident_set_memory')
    })
    expect(load.sample().memory).toBeCloseTo(0.87, 1)
  })

  // What was resident at the height of a load stays so, and new streams were turned away for ever.
  it('counts the memory of the container only while it grows', () => {
    const { memory } = startLoad()
    expect(memory(8 * GIB)).toBeCloseTo(0.5, 1)
    expect(memory(14 * GIB)).toBeCloseTo(0.87, 1)
    expect(memory(14 * GIB, 15)).toBeCloseTo(0.87, 1)
    expect(memory(14 * GIB, 10)).toBeLessThan(0.5)
    expect(memory(15 * GIB)).toBeCloseTo(0.93, 1)
  })

  it('knows the part of the time in which the loop had work', () => {
    const { load } = startLoad()
    const { utilization, delayMs } = load.sample()
    expect(utilization).toBeGreaterThanOrEqual(0)
    expect(utilization).toBeLessThanOrEqual(1)
    expect(delayMs).toBeGreaterThanOrEqual(0)
  })
})
