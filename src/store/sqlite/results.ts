import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type CampaignRef, type ExportRef, keyOf } from '../../exports/export.ts'
import type { ListedResult, Observer, ResultRecord, Results } from '../../exports/ports.ts'
import { changesAt, keptAt, prevails, seenAtOf } from '../kept.ts'
import { isDamage } from './errors.ts'
import { decodeRecord, encodeRecord } from './record.ts'
import { type Commits, inTransaction } from './transaction.ts'

export interface SqliteResultsOptions {
  /** Wall clock, epoch milliseconds. */
  readonly now: () => number
  /** Called with `corrupt-record` for each damaged record, with `sweep` for a failed sweep. */
  readonly storeFailed: Observer['storeFailed']
  readonly commit: Commits['commit']
}

export interface SqliteResults extends Results {
  /**
   * Drops a slice of the bodies of expired records and of the forgotten rows. Returns true while
   * more is left. Never throws.
   */
  sweep(): boolean
}

/** A slice of so many rows blocks the event loop for at most about 10 ms. */
const SLICE = 100

/** The campaign of what is left of an expired record. It is in no list. */
const NO_CAMPAIGN = ''

const campaignOf = ({ account, campaignId }: CampaignRef): string => `${account}/${campaignId}`

/**
 * `Results` in a table. The store reports a damaged record as a failure and as a miss, never as a
 * wrong answer. When SQLite cannot write (disk full, read-only), the call rejects and the next may
 * succeed.
 */
export const createSqliteResults = (
  db: DatabaseSync,
  { now, storeFailed, commit }: SqliteResultsOptions,
): SqliteResults => {
  const find = db.prepare('select record, body, checksum from results where export = ?')
  const write = db.prepare(
    `insert into results (export, due_at, record, body, checksum, campaign, first_seen_at)
     values (?, ?, ?, ?, ?, ?, ?)
     on conflict do update set due_at = excluded.due_at, record = excluded.record,
       body = excluded.body, checksum = excluded.checksum, campaign = excluded.campaign,
       first_seen_at = excluded.first_seen_at`,
  )
  const remove = db.prepare('delete from results where export = ?')
  const due = db.prepare(
    `select export, record, body, checksum from results where due_at <= ? order by due_at limit ${SLICE}`,
  )

  const ofCampaign = db.prepare(
    `select export, first_seen_at, record, body, checksum from results
     where campaign = ? and due_at > ? order by first_seen_at desc, export desc limit ?`,
  )

  const decode = (key: string, row: Record<string, SQLOutputValue>): ResultRecord | undefined => {
    const record = decodeRecord(key, row)
    if (record === undefined) storeFailed('corrupt-record', new Error('A record is damaged'))
    return record
  }

  const keep = (key: string, record: ResultRecord, campaign: string, firstSeenAt: number): void => {
    const row = encodeRecord(key, record)
    const { body, checksum } = row
    write.run(key, changesAt(record), row.record, body, checksum, campaign, Math.round(firstSeenAt))
  }

  const held = (key: string): ResultRecord | undefined => {
    const row = find.get(key)
    return row === undefined ? undefined : keptAt(decode(key, row), now())
  }

  const get = (ref: ExportRef): ResultRecord | undefined => {
    try {
      return held(keyOf(ref))
    } catch (error) {
      if (!isDamage(error)) throw error
      storeFailed('corrupt-record', error)
      return undefined
    }
  }

  const put = (...[ref, record, seenAt]: Parameters<Results['put']>): ResultRecord => {
    const key = keyOf(ref)
    const kept = held(key)
    if (kept !== undefined && !prevails(record, kept)) return kept
    const rest = keptAt(record, now())
    const isListed = rest !== undefined && rest.kind !== 'expired'
    const campaign = isListed ? campaignOf(ref) : NO_CAMPAIGN
    if (rest !== undefined) keep(key, rest, campaign, seenAt ?? seenAtOf(record))
    return rest ?? record
  }

  const newest = (campaign: CampaignRef, limit: number): ListedResult[] =>
    ofCampaign.all(campaignOf(campaign), now(), limit).flatMap((row) => {
      const key = String(row.export)
      const record = decode(key, row)
      if (record === undefined || record.kind === 'expired') return []
      const ref = { ...campaign, exportId: key.slice(key.lastIndexOf('/') + 1) }
      return [{ ref, firstSeenAt: Number(row.first_seen_at), record }]
    })

  const sweepSlice = (): boolean => {
    const time = now()
    const rows = due.all(time)
    for (const row of rows) {
      const key = String(row.export)
      const rest = keptAt(decode(key, row), time)
      if (rest === undefined) remove.run(key)
      else keep(key, rest, NO_CAMPAIGN, 0)
    }
    return rows.length === SLICE
  }

  return {
    async get(ref) {
      return get(ref)
    },
    async getMany(refs) {
      return refs.map(get)
    },
    async newest({ account, campaignId }, limit) {
      try {
        return newest({ account, campaignId }, limit)
      } catch (error) {
        if (!isDamage(error)) throw error
        storeFailed('corrupt-record', error)
        return []
      }
    },
    put: (...given) => commit(() => put(...given)),
    sweep() {
      try {
        return inTransaction(db, sweepSlice)
      } catch (error) {
        storeFailed('sweep', error)
        return false
      }
    },
  }
}
