import { Histogram, type Registry } from '@prometheus-io/client'

/** Takes the duration of a request, seconds. */
export type Observe = (seconds: number) => void

interface Series {
  /** How many durations are in each bucket, without those of the buckets before it. The last is +Inf. */
  readonly counts: number[]
  sum: number
}

interface DurationOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, rising, seconds. */
  readonly buckets: readonly number[]
  readonly registers: Registry[]
}

/**
 * A histogram of durations by route that counts in an array. The library's own `observe` checks the labels
 * and looks for the bucket by name at each call, which costs more than finding a status in the cache.
 * The library still makes the text.
 */
export class DurationHistogram extends Histogram<'route'> {
  readonly #options: DurationOptions
  readonly #routes = new Map<string, Series>()

  constructor(options: DurationOptions) {
    super({ ...options, buckets: [...options.buckets], labelNames: ['route'] })
    this.#options = options
  }

  of(route: string): Observe {
    const { buckets } = this.#options
    const series = this.#routes.get(route) ?? { counts: buckets.map(() => 0).concat(0), sum: 0 }
    this.#routes.set(route, series)
    const { counts } = series
    return (seconds) => {
      let at = 0
      while (at < buckets.length && seconds > (buckets[at] ?? 0)) at += 1
      counts[at] = (counts[at] ?? 0) + 1
      series.sum += seconds
    }
  }

  /** What the library makes its text of, also that of `get`. Its types do not declare this. */
  getForPromString(): unknown {
    const { name, help } = this.#options
    const values = [...this.#routes].flatMap(([route, series]) => this.#valuesOf(route, series))
    return { name, help, type: 'histogram', aggregator: 'sum', values }
  }

  #valuesOf(route: string, { counts, sum }: Series) {
    const { name, buckets } = this.#options
    let count = 0
    const parts = [...buckets, '+Inf'].map((le, at) => {
      count += counts[at] ?? 0
      return { metricName: `${name}_bucket`, labels: { le }, value: count }
    })
    return [
      ...parts,
      { metricName: `${name}_sum`, labels: {}, value: sum },
      { metricName: `${name}_count`, labels: {}, value: count },
    ].map((value) => ({ ...value, sharedLabels: { route } }))
  }
}
