import { randomUUID } from 'node:crypto'
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

export const createReplicas = ({ commands, within }: Redis): Replicas => {
  const me = randomUUID()
  let seen = 1
  return {
    count: () => seen,
    beat: async () => {
      const living = await within(commands.countReplicas(['replicas'], [me, String(ALIVE_MS)]))
      seen = typeof living === 'number' ? Math.max(1, living) : 1
    },
  }
}
