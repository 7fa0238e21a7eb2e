import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { hitSides, inRounds } from './hit.ts'
import { print } from './processes.ts'
import { ratios } from './report.ts'

/**
 * `npm run bench -- hit --quick` ends with 1 when a cached read with everything on has become dearer: when its CPU
 * beside a bare Fastify route is more than a quarter above the committed ratio. The best of three
 * rounds counts, because other work on the machine only makes it worse.
 */

const ROUNDS = 3
const TURN = { warmUpMs: 2_000, runMs: 2_000 }
const ALLOWED = 1.25
const CPU = 1

export const guardHits = async (): Promise<void> => {
  const file = new URL('./hit-guard.json', import.meta.url)
  const { cpuRatio } = z
    .object({ cpuRatio: z.number() })
    .parse(JSON.parse(readFileSync(file, 'utf8')))
  const { bare, full, end } = await hitSides(TURN)
  const [base, row] = await inRounds([bare, full], ROUNDS)
  await end()
  if (base === undefined || row === undefined) throw new Error('a side was not measured')
  const best = Math.min(...ratios(row, base, CPU))
  print(
    `A cached read takes ${best.toFixed(2)} times the CPU of a bare route; committed: ${cpuRatio}`,
  )
  if (best > cpuRatio * ALLOWED) process.exitCode = 1
}
