import { type CampaignRef, campaignKeyOf, type ExportRef, keyOf } from '../../exports/export.ts'
import type { Observer, ResultRecord, Results } from '../../exports/ports.ts'
import { keptAt, seenAtOf } from '../kept.ts'
import type { Redis } from './client.ts'
import { readNewest } from './newest-results.ts'
import { decodeResult, encodeResult, MAX_VALUE_LENGTH } from './result-record.ts'

interface RedisResultsOptions {
  /** Wall clock, epoch ms. Redis deletes keys after durations, so the clocks need not agree. */
  readonly now: () => number
  /** Called with `corrupt-record` for a value that no gateway has written. */
  readonly storeFailed: Observer['storeFailed']
}

const recordKey = (ref: ExportRef): string => `result:${keyOf(ref)}`
/** The key of the marker that stays after the end of life of a final record. */
const overKey = (ref: ExportRef): string => `over:${keyOf(ref)}`
/** The key of the list of a campaign. */
const campaignKey = (campaign: CampaignRef): string => `campaign:${campaignKeyOf(campaign)}`
/**
 * How many exports the list of a campaign holds. A caller sees 100 of them at most. The others are
 * there for when newer ones end before them. A list takes about 100 KB.
 */
const MAX_LISTED = 1_000
/**
 * How many results one script reads. Redis does nothing else while a script runs, and the deadline
 * applies to each script.
 */
const SLICE = 250

/** `Results` with two Redis keys for each export. Redis deletes both by itself. */
export const createRedisResults = (
  { commands, run }: Redis,
  { now, storeFailed }: RedisResultsOptions,
): Results => {
  const recordFrom = (ref: ExportRef, value: unknown): ResultRecord | undefined => {
    if (typeof value !== 'string' || value === '') return undefined
    const record = decodeResult(ref, value)
    if (record === undefined) {
      storeFailed(
        'corrupt-record',
        new Error('A value in Redis is not a result record of a gateway'),
      )
    }
    return record
  }

  const read = (ref: ExportRef, value: unknown, over: unknown): ResultRecord | undefined => {
    const record = recordFrom(ref, value)
    if (record !== undefined) return keptAt(record, now())
    // The marker holds the time at which the record is forgotten, and nothing else.
    const forgetAt = typeof over === 'string' && /^\d{1,16}$/.test(over) ? Number(over) : undefined
    return forgetAt === undefined ? undefined : keptAt({ kind: 'expired', forgetAt }, now())
  }

  const getSlice = async (refs: readonly ExportRef[]) => {
    const keys = refs.flatMap((ref) => [recordKey(ref), overKey(ref)])
    const reply = await run(() => commands.readResults(keys, [String(MAX_VALUE_LENGTH)]))
    const values: readonly unknown[] = Array.isArray(reply) ? reply : []
    return refs.map((ref, index) => read(ref, values[2 * index], values[2 * index + 1]))
  }

  const getMany = async (refs: readonly ExportRef[]) => {
    const records: (ResultRecord | undefined)[] = []
    for (let from = 0; from < refs.length; from += SLICE) {
      records.push(...(await getSlice(refs.slice(from, from + SLICE))))
    }
    return records
  }

  return {
    get: async (ref) => (await getMany([ref]))[0],
    getMany,
    newest: (campaign, limit) =>
      readNewest({ commands, run, getMany }, campaign, campaignKey(campaign), limit),
    put: async (ref, record, firstSeenAt = seenAtOf(record)) => {
      const time = now()
      if (keptAt(record, time)?.kind === 'expired')
        return { kind: 'expired', forgetAt: record.forgetAt }
      const liveMs = (record.kind === 'final' ? record.snapshot.endOfLife : record.forgetAt) - time
      if (liveMs < 1) return record
      const forgetMs = Math.max(1, record.forgetAt - time)
      const times = [liveMs, forgetMs, record.forgetAt].map((ms) => String(Math.ceil(ms)))
      const values = [record.kind, encodeResult(ref, record), ...times]
      const put = async (corrupt: string): Promise<readonly unknown[]> => {
        const keys = [recordKey(ref), overKey(ref), campaignKey(ref)]
        const place = [ref.exportId, String(Math.round(firstSeenAt)), String(MAX_LISTED)]
        const reply = await run(() => commands.putResult(keys, [...values, corrupt, ...place]))
        return Array.isArray(reply) ? reply : []
      }
      const [value, over, hash] = await put('')
      const kept = read(ref, value, over)
      // The kept value looks like a record and is none. The record replaces exactly that value.
      if (kept === undefined && typeof hash === 'string' && hash !== '') {
        const [next, nextOver] = await put(hash)
        return read(ref, next, nextOver) ?? record
      }
      return kept ?? record
    },
  }
}
