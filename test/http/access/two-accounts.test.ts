import { describe, expect, it, onTestFinished } from 'vitest'
import type { Account } from '../../../src/account.ts'
import { createAccounts, type LemlistKeys } from '../../../src/accounts.ts'
import { loadConfig, Secret } from '../../../src/config/config.ts'
import type { ExportRef } from '../../../src/exports/export.ts'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { openStore } from '../../../src/store/open.ts'
import { memoryLogger } from '../../helpers/gateway.ts'

const keysOf = (keys: Readonly<Record<string, string>>): LemlistKeys =>
  new Map(Object.entries(keys).map(([name, key]) => [name, new Secret(key)]))

const SALES: ExportRef = { account: 'sales', campaignId: 'cam_sales', exportId: 'axp_sales' }
const EMEA: ExportRef = { account: 'emea', campaignId: 'cam_emea', exportId: 'axp_emea' }

/** Two accounts at one emulated lemlist, which tells them apart by their keys. */
const setUp = async (keys = { sales: 'key-sales', emea: 'key-emea' }) => {
  const lemlist = createLemlist({
    apiKeys: ['key-sales', 'key-emea', 'key-next'],
    exports: [
      { ...SALES, apiKey: 'key-sales', durationMs: 60_000 },
      { ...EMEA, apiKey: 'key-emea', durationMs: 60_000 },
    ],
  })
  const config = loadConfig({
    LEMLIST_API_KEY: 'unused',
    LEMLIST_BASE_URL: await lemlist.listen(),
    LEMLIST_TIMEOUT_MS: '2000',
    POLL_FIRST_MS: '100',
    POLL_INTERVAL_MS: '100',
    POLL_MAX_INTERVAL_MS: '100',
    POLL_IDLE_INTERVAL_MS: '1000',
    STORE_URL: 'memory:',
  })
  onTestFinished(() => lemlist.close())
  const store = await openStore('memory:', {
    limits: { calls: 16, windowMs: 2_000 },
    visibilityMs: 20_000,
  })
  const { logger } = memoryLogger()
  const accounts = createAccounts({ keys: keysOf(keys), config, store, logger })
  onTestFinished(async () => {
    accounts.stop()
    await accounts.close()
    await store.close()
  })
  const read = (ref: ExportRef) => accountOf(ref).reader.read(ref)
  const accountOf = ({ account }: ExportRef): Account => {
    const found = accounts.get(account)
    if (found === undefined) throw new Error(`there is no account ${account}`)
    return found
  }
  const callsOf = (ref: ExportRef) =>
    lemlist.calls.filter(({ exportId }) => exportId === ref.exportId)
  return { lemlist, accounts, read, callsOf }
}

/** How long the work takes, milliseconds. */
const took = async (work: Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await work
  return performance.now() - from
}

describe('trouble of one account', () => {
  it('does not delay the other one when lemlist asks it to wait', async () => {
    const { lemlist, read } = await setUp()
    const headers = { 'Retry-After': '30' }
    lemlist.script({ campaignId: 'cam_sales' }, { status: 429, headers, body: 'wait' })
    await expect(read(SALES)).rejects.toMatchObject({ code: 'budget-exhausted' })
    await expect(read(SALES)).rejects.toMatchObject({ code: 'budget-exhausted' })
    expect(await took(read(EMEA))).toBeLessThan(500)
  })

  it('does not delay the other one when lemlist hangs and all its sockets are in use', async () => {
    const { lemlist, read } = await setUp()
    lemlist.script({ campaignId: 'cam_sales' }, { hang: true })
    const hanging = Array.from({ length: 100 }, (_, n) =>
      read({ ...SALES, exportId: `axp_${n}` }).catch(() => {}),
    )
    await lemlist.waitForCalls(4, ({ campaignId }) => campaignId === 'cam_sales')
    expect(await took(read(EMEA))).toBeLessThan(500)
    await Promise.all(hanging)
  })

  it('does not concern the other one when its budget is spent', async () => {
    const { read } = await setUp()
    const many = Array.from({ length: 60 }, (_, n) =>
      read({ ...SALES, exportId: `axp_${n}` }).catch(() => {}),
    )
    expect(await took(read(EMEA))).toBeLessThan(500)
    await Promise.all(many)
  })

  it('does not concern the other one when its key is refused', async () => {
    const { read } = await setUp({ sales: 'key-wrong', emea: 'key-emea' })
    await expect(read(SALES)).rejects.toMatchObject({ code: 'upstream-credentials' })
    expect(await read(EMEA)).toMatchObject({ snapshot: { state: 'pending' } })
  })
})

describe('a reload of the lemlist keys', () => {
  it('uses the new key for the next call', async () => {
    const { lemlist, accounts, read } = await setUp()
    await read(SALES)
    accounts.reload(keysOf({ sales: 'key-next', emea: 'key-emea' }))
    await expect(read(SALES)).rejects.toMatchObject({ code: 'campaign-not-found' })
    const sent = lemlist.calls.map(({ authorization = '' }) =>
      Buffer.from(authorization.slice('Basic '.length), 'base64').toString(),
    )
    expect(sent).toEqual([':key-sales', ':key-next'])
  })

  it('adds an account, which follows its exports', async () => {
    const { lemlist, accounts, read } = await setUp()
    accounts.start()
    accounts.reload(keysOf({ sales: 'key-sales', emea: 'key-emea', third: 'key-sales' }))
    expect(accounts.names()).toEqual(['sales', 'emea', 'third'])
    await read({ ...SALES, account: 'third' })
    await lemlist.waitForCalls(2, ({ exportId }) => exportId === 'axp_sales')
  })

  it('closes an account that is gone, and follows its exports again when it comes back', async () => {
    const { lemlist, accounts, read, callsOf } = await setUp()
    accounts.start()
    await read(SALES)
    const gone = accounts.get('sales')
    expect(accounts.reload(keysOf({ emea: 'key-emea' }))).toMatchObject({
      changes: ['account sales: removed'],
      gone: ['sales'],
    })
    expect(accounts.get('sales')).toBeUndefined()
    expect(accounts.names()).toEqual(['emea'])
    expect(gone?.closed.aborted).toBe(true)
    const before = callsOf(SALES).length
    await read(EMEA)
    await lemlist.waitForCalls(2, ({ exportId }) => exportId === 'axp_emea')
    expect(callsOf(SALES)).toHaveLength(before)
    accounts.reload(keysOf({ emea: 'key-emea', sales: 'key-sales' }))
    await lemlist.waitForCalls(before + 1, ({ exportId }) => exportId === 'axp_sales')
  })

  it('gives the same list of names as long as the accounts stay', async () => {
    const { accounts } = await setUp()
    const names = accounts.names()
    accounts.reload(keysOf({ sales: 'key-next', emea: 'key-emea' }))
    expect(accounts.names()).toBe(names)
  })
})
