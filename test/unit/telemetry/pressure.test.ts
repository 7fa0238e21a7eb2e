import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createPressure, SAMPLE_MS } from '../../../src/telemetry/pressure.ts'
import type { Load } from '../../../src/telemetry/process-load.ts'

const CALM: Load = { delayMs: 1, utilization: 0.3, memory: 0.2 }

const startPressure = () => {
  let load = CALM
  const levels: string[] = []
  const pressure = createPressure({
    load: { sample: () => load, close: () => {} },
    onChange: (level) => levels.push(level),
  })
  onTestFinished(() => pressure.close())
  const samples = (count: number, next: Partial<Load>): void => {
    load = { ...CALM, ...next }
    vi.advanceTimersByTime(count * SAMPLE_MS)
  }
  return { pressure, samples, levels }
}

describe('the pressure', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([{ delayMs: 120 }, { memory: 0.96 }])(
    'sheds streams first and reads next, at %o',
    (load) => {
      const { pressure, samples } = startPressure()
      const sheds = () => [pressure.sheds('stream'), pressure.sheds('read')]
      expect(sheds()).toEqual([false, false])
      samples(4, load)
      expect(sheds()).toEqual([true, false])
      samples(4, load)
      expect(sheds()).toEqual([true, true])
    },
  )

  it.each([{ delayMs: 60 }, { memory: 0.9 }])('never sheds reads at %o', (load) => {
    const { pressure, samples } = startPressure()
    samples(20, load)
    expect(pressure.level).toBe('busy')
  })

  it('lets the clients of a replica that stopped come back, which keeps the core full for 8 s', () => {
    const { pressure, samples } = startPressure()
    samples(16, { utilization: 1 })
    expect(pressure.level).toBe('calm')
  })

  it('takes a core that has a pause now and then for a full one', () => {
    const { pressure, samples } = startPressure()
    for (let round = 0; round < 4; round += 1) {
      samples(11, { utilization: 1 })
      samples(1, { utilization: 0.9 })
    }
    expect(pressure.level).not.toBe('calm')
  })

  it('sheds streams, then reads, when the core is full for longer than 10 s', () => {
    const { pressure, samples, levels } = startPressure()
    samples(23, { utilization: 1 })
    expect(pressure.level).toBe('busy')
    samples(4, { utilization: 1 })
    samples(10, { utilization: 0.9 })
    expect(pressure.level).toBe('overloaded')
    samples(6, { utilization: 0.8 })
    expect(levels).toEqual(['busy', 'overloaded', 'busy', 'calm'])
  })

  it('takes one long stall for no overload', () => {
    const { pressure, samples } = startPressure()
    for (let i = 0; i < 10; i += 1) {
      samples(1, { delayMs: 900 })
      samples(1, CALM)
    }
    expect(pressure.level).toBe('calm')
  })

  it('is calm within 5 s of the end of the load', () => {
    const { pressure, samples, levels } = startPressure()
    samples(10, { delayMs: 500 })
    samples(5_000 / SAMPLE_MS, CALM)
    expect(pressure.level).toBe('calm')
    expect(levels).toEqual(['busy', 'overloaded', 'busy', 'calm'])
  })

  it('does not flap while the load goes up and down around a threshold', () => {
    const { samples, levels } = startPressure()
    for (let i = 0; i < 20; i += 1) {
      samples(4, { delayMs: 52 })
      samples(4, { delayMs: 48 })
    }
    expect(levels).toEqual(['busy'])
  })
})
