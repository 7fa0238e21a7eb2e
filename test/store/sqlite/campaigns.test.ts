import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { keyOf } from '../../../src/exports/export.ts'
import { encodeRecord } from '../../../src/store/sqlite/record.ts'
import { createSqliteStore } from '../../../src/store/sqlite/store.ts'
import { closedAfterTest, tempDirectory } from '../fixtures.ts'
import {
  finalOf,
  HOUR,
  LIMITS,
  refOf,
  START,
  timedOut,
  trackingOf,
  VISIBILITY_MS,
} from '../records.ts'

const { account, campaignId } = refOf('exp_A')
const campaign = { account, campaignId }

const open = (path: string, failures: string[] = []) =>
  closedAfterTest(
    createSqliteStore({
      ...{ path, limits: LIMITS, visibilityMs: VISIBILITY_MS, now: () => START },
      storeFailed: (operation) => void failures.push(operation),
      onCorrupt: () => void failures.push('corrupt file'),
    }),
  )

describe('the lists of campaigns in a file', () => {
  it('are there after a restart, of results and of what is followed', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const first = open(path)
    await first.results.put(refOf('exp_A'), finalOf('a'), START - 2)
    await first.results.put(refOf('exp_B'), finalOf('b'), START - 1)
    await first.schedule('default').track([trackingOf('exp_C', { firstSeenAt: START - 3 })])
    await first.close()
    const again = open(path)
    const results = await again.results.newest(campaign, 10)
    expect(results).toMatchObject([
      { ref: refOf('exp_B'), firstSeenAt: START - 1 },
      { ref: refOf('exp_A'), firstSeenAt: START - 2 },
    ])
    const followed = await again.schedule('default').newest(campaign, 10)
    expect(followed).toMatchObject([{ ref: refOf('exp_C'), firstSeenAt: START - 3 }])
  })

  it('are made for the results of version 4, but not of those that cannot be read', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const older = new DatabaseSync(path)
    // This is word for word what version 4 wrote.
    older.exec(`create table results (
    export text primary key,
    due_at integer not null,
    record text not null,
    body blob,
    checksum blob not null
  ) strict, without rowid;
  create index results_due on results (due_at);
  create table meta (name text primary key, value integer not null) strict, without rowid;
  create table idempotency (
    key text primary key,
    copy text not null,
    forget_at integer not null,
    record text not null,
    answer blob,
    checksum blob not null
  ) strict, without rowid;
  create index idempotency_forget on idempotency (forget_at);
  create table followed (
    export text primary key,
    record text not null,
    checksum blob not null
  ) strict, without rowid;
  pragma application_id = 1818586471;
  pragma user_version = 4;`)
    const insert = older.prepare('insert into results values (?, ?, ?, ?, ?)')
    const put = (id: string, record: Parameters<typeof encodeRecord>[1], text?: string) => {
      const key = keyOf(refOf(id))
      const row = encodeRecord(key, record)
      insert.run(key, START + HOUR, text ?? row.record, row.body, row.checksum)
    }
    put('exp_A', finalOf('a'))
    put('exp_B', { ...timedOut, forgetAt: START + 23 * HOUR })
    put('exp_C', { kind: 'expired', forgetAt: START + HOUR })
    put('exp_D', finalOf('d'), '{"kind":"final"')
    put('exp_E', finalOf('e'), '{"kind":"final","forgetAt":"soon"}')
    older.close()

    const failures: string[] = []
    const { results } = open(path, failures)
    expect(failures).toEqual([])
    expect(await results.newest(campaign, 10)).toMatchObject([
      { ref: refOf('exp_A'), firstSeenAt: START },
      { ref: refOf('exp_B'), firstSeenAt: START - HOUR, record: { kind: 'timed-out' } },
    ])
  })

  it('leave a damaged record out and report it', async () => {
    const path = join(tempDirectory(), 'gateway.sqlite')
    const first = open(path)
    await first.results.put(refOf('exp_A'), finalOf('a'))
    await first.results.put(refOf('exp_B'), finalOf('b'))
    await first.close()
    const file = new DatabaseSync(path)
    file.exec(`update results set body = x'00' where export like '%exp_A'`)
    file.close()
    const failures: string[] = []
    const listed = await open(path, failures).results.newest(campaign, 10)
    expect(listed.map(({ ref }) => ref.exportId)).toEqual(['exp_B'])
    expect(failures).toEqual(['corrupt-record'])
  })
})
