import { Gauge, type Registry } from '@prometheus-io/client'
import type { Bounds, UsedPart } from '../exports/bounds.ts'

/** One gauge for everything that can grow. Its labels are words of the code, and account names. */
export const createBoundsGauge = (registers: Registry[]) => {
  const whole = new Map<string, UsedPart>()
  const accounts = new Map<string, Map<string, UsedPart>>()
  const all = () => [
    ...[...whole].map(([bound, usedPart]) => ({ labels: { bound }, usedPart })),
    ...[...accounts].flatMap(([account, own]) =>
      [...own].map(([bound, usedPart]) => ({ labels: { bound, account }, usedPart })),
    ),
  ]
  new Gauge({
    ...{ name: 'gateway_bound_used_ratio', registers },
    help: 'The used part of what something may grow to.',
    labelNames: ['bound', 'account'],
    async collect() {
      const bounds = all()
      // What a store that is away cannot tell is left out, and the others are told.
      const parts = await Promise.allSettled(bounds.map(async ({ usedPart }) => usedPart()))
      this.reset()
      for (const [index, { labels }] of bounds.entries()) {
        const part = parts[index]
        if (part?.status === 'fulfilled') this.set(labels, part.value)
      }
    },
  })
  return {
    /** @param account whose bounds they are; undefined = the gateway's as a whole */
    of: (account: string | undefined): Bounds => {
      const own = account === undefined ? whole : new Map<string, UsedPart>()
      if (account !== undefined) accounts.set(account, own)
      return (name, usedPart) => void own.set(name, usedPart)
    },
    drop: (account: string): void => void accounts.delete(account),
  }
}
