import { type ExportRef, keyOf } from '../../exports/export.ts'
import type { Observer, ResultRecord, Results } from '../../exports/ports.ts'
import { keptAt } from '../kept.ts'
import type { Redis } from './client.ts'
import { decodeResult, encodeResult } from './result-record.ts'

interface RedisResultsOptions {
  /** Wall clock, epoch milliseconds. Redis expires by durations, so clocks need not agree. */
  readonly now: () => number
  /** Told `corrupt-record` for a value that is not of ours. */
  readonly storeFailed: Observer['storeFailed']
}

const recordKey = (ref: ExportRef): string => `result:${keyOf(ref)}`
/** Left of a final record after its end of life. */
const overKey = (ref: ExportRef): string => `over:${keyOf(ref)}`

/** `Results` as two keys an export, which Redis lets go of by itself. */
export const createRedisResults = (
  { commands, within }: Redis,
  { now, storeFailed }: RedisResultsOptions,
): Results => {
  const read = (value: unknown, over: unknown): ResultRecord | undefined => {
    if (typeof value === 'string') {
      const record = decodeResult(value)
      if (record !== undefined) return keptAt(record, now())
      storeFailed('corrupt-record', new Error('A value in Redis is no record of ours'))
    }
    // The marker says when it is forgotten; one of ours holds nothing but that.
    const forgetAt = typeof over === 'string' && /^\d{1,16}$/.test(over) ? Number(over) : undefined
    return forgetAt === undefined ? undefined : keptAt({ kind: 'expired', forgetAt }, now())
  }

  const getMany = async (refs: readonly ExportRef[]) => {
    if (refs.length === 0) return []
    const keys = refs.flatMap((ref) => [recordKey(ref), overKey(ref)])
    const values = await within(commands.mGet(keys))
    return refs.map((_, index) => read(values[2 * index], values[2 * index + 1]))
  }

  return {
    get: async (ref) => (await getMany([ref]))[0],
    getMany,
    put: async (ref, record) => {
      const time = now()
      if (keptAt(record, time)?.kind === 'expired')
        return { kind: 'expired', forgetAt: record.forgetAt }
      const liveMs = (record.kind === 'final' ? record.snapshot.endOfLife : record.forgetAt) - time
      if (liveMs < 1) return record
      const forgetMs = Math.max(1, Math.ceil(record.forgetAt - time))
      const reply = await within(
        commands.putResult(
          [recordKey(ref), overKey(ref)],
          [
            record.kind,
            encodeResult(record),
            `${Math.ceil(liveMs)}`,
            `${forgetMs}`,
            `${Math.round(record.forgetAt)}`,
          ],
        ),
      )
      const [value, over] = Array.isArray(reply) ? reply : []
      return read(value, over) ?? record
    },
  }
}
