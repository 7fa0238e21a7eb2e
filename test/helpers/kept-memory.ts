import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { z } from 'zod'
import type { GatewayProcess } from './process.ts'

/** Lets a test measure the memory that a gateway keeps after a garbage collection. */

const PRELOAD = pathToFileURL(join(import.meta.dirname, 'collect-garbage.mjs'))

/**
 * Variables for a gateway whose memory a test measures. V8 lets the space of new objects grow to 128 MiB
 * under any load, and gives none of it back. A smaller bound shows what else grows.
 */
export const COLLECTING = {
  NODE_OPTIONS: `--expose-gc --max-semi-space-size=4 --import ${PRELOAD.href}`,
}

const memory = z.object({
  rss: z.number(),
  heapUsed: z.number(),
  /** Timers, sockets and the like that keep the process alive, by their kind. */
  resources: z.record(z.string(), z.number()),
})
const MIB = 1_024 ** 2

/** Memory after a collection, MiB, and what is open. */
export const keptMemory = async ({ child, output }: GatewayProcess) => {
  const told = (): readonly string[] => output().match(/^kept .*\n/gm) ?? []
  const before = told().length
  child.kill('SIGWINCH')
  await expect.poll(() => told().length, { timeout: 10_000 }).toBeGreaterThan(before)
  const { rss, heapUsed, resources } = memory.parse(
    JSON.parse(told().at(-1)?.slice('kept '.length) ?? ''),
  )
  return { rss: rss / MIB, heapUsed: heapUsed / MIB, resources }
}
