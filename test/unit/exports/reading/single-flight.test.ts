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
  it('finds what is under way, by its key', () => {
    const { flights, begin } = start()
    expect(flights.current('key')).toBeUndefined()
    expect(begin('first')).toBe('first')
    expect([flights.current('key'), flights.current('other')]).toEqual(['first', undefined])
    expect(flights.size()).toBe(1)
  })

  it('forgets it when it is settled', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    landing.resolve()
    await landing.promise
    expect([flights.current('key'), flights.size()]).toEqual([undefined, 0])
  })

  it('forgets what fails as well, and leaves the failure to whoever waits', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    landing.reject(new Error('no'))
    await expect(landing.promise).rejects.toThrow('no')
    expect(flights.current('key')).toBeUndefined()
  })

  it('does not forget a later one when an earlier one lands', async () => {
    const { flights, landing, begin } = start()
    begin('first')
    begin('second', new Promise(() => {}))
    landing.resolve()
    await landing.promise
    expect(flights.current('key')).toBe('second')
  })

  it('holds nothing when the work cannot begin', () => {
    const { flights } = start()
    const begin = () => {
      throw new Error('no')
    }
    expect(() => flights.start('key', begin)).toThrow('no')
    expect(flights.size()).toBe(0)
  })
})
