import { Counter, Gauge, type Registry } from '@prometheus-io/client'
import type { PerClass } from '../exports/schedule.ts'

/** What is not counted as it happens, but read when somebody asks for the metrics. */

/** The state of an account when somebody asks for the metrics. */
interface AccountNow {
  readonly name: string
  /** How many calls wait for their turn. */
  readonly waiting: number
  tracked(): Promise<PerClass>
}

/** The state of the gateway when somebody asks for the metrics. */
export interface Now {
  readonly streams: () => number
  readonly connections: () => Promise<number>
  readonly accounts: () => readonly AccountNow[]
  readonly isDegraded: () => Promise<boolean>
  /** Log lines that standard output did not take since the start. */
  readonly lostLines: () => number
}

export const observeNow = (registers: Registry[], now: Now): void => {
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      ...{ name: `gateway_${name}`, help, registers },
      async collect() {
        this.set(await read())
      },
    })
  gauge('sse_streams', 'Open streams.', now.streams)
  gauge('connections', 'Open connections of callers.', now.connections)
  gauge('store_degraded', '1 = the gateway works without its store.', async () =>
    (await now.isDegraded()) ? 1 : 0,
  )
  new Gauge({
    ...{ name: 'gateway_waiting_calls', help: 'Calls that wait for their turn.', registers },
    labelNames: ['account'],
    collect() {
      this.reset()
      for (const { name, waiting } of now.accounts()) this.set({ account: name }, waiting)
    },
  })
  new Gauge({
    ...{ name: 'gateway_tracked_exports', help: 'Exports that are followed.', registers },
    labelNames: ['account', 'kind'],
    async collect() {
      const all = now.accounts()
      const counts = await Promise.all(all.map((account) => account.tracked()))
      this.reset()
      for (const [index, { name }] of all.entries()) {
        const { watched = 0, idle = 0, unconfirmed = 0 } = counts[index] ?? {}
        this.set({ account: name, kind: 'watched' }, watched + unconfirmed)
        this.set({ account: name, kind: 'idle' }, idle)
      }
    },
  })
  new Counter({
    ...{ name: 'gateway_log_lines_lost_total', help: 'Lines that stdout did not take.', registers },
    collect() {
      this.reset()
      this.inc(now.lostLines())
    },
  })
}
