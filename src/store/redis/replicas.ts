import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Redis } from './client.ts'

/** How many replicas share this Redis, as far as they were seen lately. */
export interface Replicas {
  /** At least 1: this one. What was seen last, also while Redis is away. */
  count(): number
  /** Says that this one lives, and counts the others. Rejects when Redis does not answer. */
  beat(): Promise<void>
}

/** A replica that has not been heard of for so long does not count. */
const ALIVE_MS = 15_000

export const createReplicas = ({ commands, run }: Redis): Replicas => {
  const me = randomUUID()
  let seen = 1
  let seenAt = performance.now()
  return {
    count: () => seen,
    beat: async () => {
      const reply = await run(() => commands.countReplicas(['replicas'], [me, String(ALIVE_MS)]))
      const living = typeof reply === 'number' ? Math.max(1, reply) : 1
      // A Redis that comes back empty knows nobody yet: what was seen before it counts a while longer.
      if (living < seen && performance.now() - seenAt < ALIVE_MS) return
      seen = living
      seenAt = performance.now()
    },
  }
}
