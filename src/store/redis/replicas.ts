import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Redis } from './client.ts'

/** Counts the replicas that share this Redis and were seen lately. */
export interface Replicas {
  /** Returns at least 1, this replica. While Redis is away, it returns the last number. */
  count(): number
  /** Tells Redis that this replica is alive, and counts all. Rejects when Redis does not answer. */
  beat(): Promise<void>
}

/** A replica that has given no sign of life for so long does not count. */
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
      // A Redis that comes back empty does not know the other replicas yet. So the number from
      // before stays for a while.
      if (living < seen && performance.now() - seenAt < ALIVE_MS) return
      seen = living
      seenAt = performance.now()
    },
  }
}
