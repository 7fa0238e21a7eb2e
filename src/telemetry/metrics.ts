import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { CallClass } from '../exports/schedule.ts'
import { createBoundsGauge } from './bounds-gauge.ts'
import { DurationHistogram } from './durations.ts'
import { type Now, observeNow } from './gauges.ts'
import { createRequestSeries } from './request-series.ts'
import { createTally } from './tally.ts'

/**
 * The metrics of one gateway. Alone knows the library. Labels hold nothing that callers choose: no ids, no
 * paths, no names of callers. So the number of series has a bound.
 */

const SECONDS = {
  request: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  call: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  wait: [0.005, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
  lag: [0.1, 0.5, 1, 2, 5, 10, 16, 30, 60, 120, 300],
}
/** The words of `src/lemlist/outcome.ts`. */
const OUTCOMES = [
  ...['ok', 'not-found', 'unauthorized', 'rate-limited', 'rejected'],
  ...['server-error', 'timeout', 'network', 'malformed'],
]
const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'])

export type Metrics = ReturnType<typeof createMetrics>

/** @param version of the gateway */
export const createMetrics = (version: string) => {
  const registry = new Registry()
  const registers = [registry]
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]) =>
    new Counter({ name: `gateway_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(
    name: string,
    help: string,
    buckets: readonly number[],
    ...labelNames: Label[]
  ) =>
    new Histogram({ name: `gateway_${name}`, help, labelNames, registers, buckets: [...buckets] })
  collectDefaultMetrics({ register: registry })
  new Gauge({
    ...{ name: 'gateway_build_info', help: 'Versions of the gateway and of Node.', registers },
    labelNames: ['version', 'node'],
  }).set({ version, node: process.version }, 1)

  const requests = counter('http_requests_total', 'Requests.', 'route', 'method', 'status')
  const durations = new DurationHistogram({
    ...{ name: 'gateway_http_request_duration_seconds', help: 'Time until the answer was out.' },
    ...{ buckets: SECONDS.request, registers },
  })
  const reads = counter('status_reads_total', 'Where the status of a read came from.', 'result')
  const calls = counter(
    ...(['upstream_requests_total', 'Calls to lemlist.'] as const),
    ...(['account', 'operation', 'outcome'] as const),
  )
  const callDurations = histogram(
    ...(['upstream_request_duration_seconds', 'Time of a call to lemlist.'] as const),
    SECONDS.call,
    ...(['account', 'operation'] as const),
  )
  const waits = histogram(
    ...(['budget_wait_seconds', 'How long a call waited for its turn.'] as const),
    SECONDS.wait,
    ...(['account', 'class'] as const),
  )
  const lags = histogram(
    'poll_lag_seconds',
    'How late a look left after its due time.',
    SECONDS.lag,
  )
  const delays = histogram(
    ...(['detection_delay_seconds', 'How long a watcher waited for an end at most.'] as const),
    SECONDS.lag,
  )
  const events = counter('sse_events_total', 'Events written to streams.', 'event')
  const cuts = counter('sse_cuts_total', 'Streams that the gateway ended early.', 'reason')
  const storeErrors = counter('store_errors_total', 'Failed operations.', 'operation')
  const drifts = counter('upstream_drift_total', 'Undocumented answers of lemlist.', 'kind')
  const bounds = createBoundsGauge(registers)
  const sheds = counter('shed_total', 'What was turned away for too much load.', 'kind')
  for (const kind of ['stream', 'read']) sheds.inc({ kind }, 0)
  for (const result of ['hit', 'miss', 'collapsed', 'stale']) reads.inc({ result }, 0)
  for (const event of ['status', 'problem', 'gone', 'end']) events.inc({ event }, 0)
  for (const reason of ['slow', 'rotated', 'drained', 'closed']) cuts.inc({ reason }, 0)
  for (const kind of ['unknown-state', 'shape', 'past-life']) drifts.inc({ kind }, 0)

  /** A request adds to a number. The library is told the sum when somebody asks for the metrics. */
  const served = createRequestSeries((route, method, status) => {
    const name = METHODS.has(method) ? method : 'other'
    const count = requests.labels({ route, method: name, status: String(status) })
    return { number: 0, count, observe: durations.of(route) }
  })
  const tellServed = (): void => {
    for (const series of served.all()) {
      series.count.inc(series.number)
      series.number = 0
    }
  }
  const readTally = createTally((result, by) => reads.inc({ result }, by))
  const eventTally = createTally((event, by) => events.inc({ event }, by))

  return {
    contentType: registry.contentType,
    text: () => {
      tellServed()
      readTally.tell()
      eventTally.tell()
      return registry.metrics()
    },
    /** Reads these when somebody asks for the metrics. Called once. */
    observe: (now: Now): void => observeNow(registers, now),
    /** @param route the pattern of the route, which callers cannot choose */
    request: (route: string, method: string, status: number, ms: number): void => {
      const series = served.of(route, method, status)
      series.number += 1
      series.observe(ms / 1_000)
    },
    statusRead: readTally.add,
    event: eventTally.add,
    cut: (reason: string): void => cuts.inc({ reason }),
    storeFailed: (operation: string): void => storeErrors.inc({ operation }),
    shed: (kind: string): void => sheds.inc({ kind }),
    drift: (kind: string): void => drifts.inc({ kind }),
    pollLag: (ms: number): void => lags.observe(Math.max(0, ms) / 1_000),
    detected: (ms: number): void => delays.observe(Math.max(0, ms) / 1_000),
    /** Measures what the gateway as a whole keeps within bounds. */
    bounds: bounds.of(undefined),
    /** Forgets what belonged to an account that is gone. */
    dropAccount: bounds.drop,
    /** Begins the series of an account, so that the first trouble is a rise from 0. */
    account: (account: string) => {
      for (const operation of ['status', 'start', 'file']) {
        for (const outcome of OUTCOMES) {
          calls.inc({ account, operation, outcome }, 0)
        }
      }
      return {
        bounds: bounds.of(account),
        called: (operation: string, outcome: string, ms: number): void => {
          calls.inc({ account, operation, outcome })
          callDurations.observe({ account, operation }, ms / 1_000)
        },
        waited: (callClass: CallClass, ms: number): void =>
          waits.observe({ account, class: callClass }, ms / 1_000),
      }
    },
  }
}

export type AccountMetrics = ReturnType<Metrics['account']>
