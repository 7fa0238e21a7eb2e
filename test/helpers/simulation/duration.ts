import type { Random } from '../random.ts'

/**
 * Returns at random how long an export takes, milliseconds. The times have a log-normal distribution,
 * whose mean is 1.65 times the median. Third parties measured 0.2 to 1.0 s for small exports. Exports
 * that are worth watching take minutes.
 */
export const durationMs = (medianMs: number, { next }: Random): number => {
  const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())
  return Math.round(medianMs * Math.exp(normal))
}
