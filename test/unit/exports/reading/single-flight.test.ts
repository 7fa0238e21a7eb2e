import { describe, expect, it } from 'vitest'
import { createSingleFlight } from '../../../../src/exports/reading/single-flight.ts'

const start = () => {
  const flights = createSingleFlight<string>()
  const landing = Promise.withResolvers<void>()
  const begin = (work: string, settled: Promise<unknown> = landing.promise) =>
    flights.start('key', () => ({ work, settled }))
  return { flights, landing, begin }
}

describe('single flight', () => {
  it('finds the work that is under way, by its key', () => {
    const { flights, begin } = start()
    expect(flights.current('key')).toBeUndefined()
    expect(begin('first')).toBe('first')
    expect([flights.current('key'), flights.current('other')]).toEqual(['first', undefined])
    expect(flights.size()).toBe(1)
  })

  it('forgets the work when it is settled', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    landing.resolve()
    await landing.promise
    expect([flights.current('key'), flights.size()]).toEqual([undefined, 0])
  })

  it('also forgets work that fails, and leaves the failure to those who wait for it', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    landing.reject(new Error('no'))
    await expect(landing.promise).rejects.toThrow('no')
    expect(flights.current('key')).toBeUndefined()
  })

  it('does not forget later work when earlier work under the same key ends', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    begin('second', new Promise(() => {}))
    landing.resolve()
    await landing.promise
    expect(flights.current('key')).toBe('second')
  })

  it('remembers nothing when the work cannot begin', () => {
    const { flights } = start()
    const begin = () => {
      throw new Error('no')
    }
    expect(() => flights.start('key', begin)).toThrow('no')
    expect(flights.size()).toBe(0)
  })
})
