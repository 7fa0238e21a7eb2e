import { Histogram, Registry } from '@prometheus-io/client'
import { describe, expect, it } from 'vitest'
import { DurationHistogram } from '../../../src/telemetry/durations.ts'

const OPTIONS = { name: 'took_seconds', help: 'How long it took.', buckets: [0.001, 0.01, 1] }
const DURATIONS = [0, 0.001, 0.0011, 0.01, 0.5, 1, 1.5, 60]
const ROUTES = ['/', '/campaigns/:id/"quoted"']

const lines = (text: string): string[] =>
  text
    .split('\n')
    // The order of labels means nothing.
    .map((line) =>
      line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`),
    )

describe('the histogram of durations', () => {
  it('has the same text as a histogram of the library with the same durations', async () => {
    const ours = new Registry()
    const theirs = new Registry()
    const own = new DurationHistogram({ ...OPTIONS, registers: [ours] })
    const usual = new Histogram({ ...OPTIONS, labelNames: ['route'], registers: [theirs] })
    for (const route of ROUTES) {
      const observe = own.of(route)
      for (const seconds of DURATIONS) {
        observe(seconds)
        usual.observe({ route }, seconds)
      }
    }
    const text = await ours.metrics()
    expect(text).toContain('took_seconds_count{route="/"} 8')
    expect(lines(text)).toEqual(lines(await theirs.metrics()))
  })

  it('goes on with the series of a route that is asked for again', async () => {
    const registry = new Registry()
    const own = new DurationHistogram({ ...OPTIONS, registers: [registry] })
    for (const seconds of [0.5, 2]) own.of('/')(seconds)
    expect(await registry.metrics()).toContain('took_seconds_count{route="/"} 2')
  })

  it('tells the same to those who ask for objects', async () => {
    const own = new DurationHistogram({ ...OPTIONS, registers: [new Registry()] })
    own.of('/')(0.5)
    const { type, values } = await own.get()
    expect(type).toBe('histogram')
    expect(values).toContainEqual({
      ...{ metricName: 'took_seconds_bucket', labels: { le: 1, route: '/' }, value: 1 },
    })
  })
})
