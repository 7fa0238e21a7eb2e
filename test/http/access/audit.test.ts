import { describe, expect, it } from 'vitest'
import {
  type AccessGateway,
  auditLines,
  bearer,
  SALES,
  send,
  startAccessGateway,
  TWO_TEAMS,
  ticketOf,
  twoAccounts,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, logLines, statusPath } from '../../helpers/gateway.ts'

const FILE = statusPath(SALES).replace(/status$/, 'file')
const START = `/campaigns/${SALES.campaignId}/export/start`
const requestId = expect.any(String)
const crm = { caller: 'crm', proof: 'key', account: 'sales' }

const start = () => startAccessGateway({ file: twoAccounts, lemlist: TWO_TEAMS })

/** Waits for so many audit lines. A line is written just after its answer. */
const audited = async (gateway: AccessGateway, count: number) => {
  await expect.poll(() => auditLines(gateway)).toHaveLength(count)
  return auditLines(gateway)
}

describe('the audit', () => {
  it('has a line for a start: who, where, which export', async () => {
    const gateway = await start()
    const { body } = await send(gateway, START, { method: 'POST', headers: [bearer(KEYS.crm)] })
    const { id } = JSON.parse(body)
    const line = { action: 'start', campaign: SALES.campaignId, export: id, result: 'ok' }
    expect(await audited(gateway, 1)).toEqual([{ requestId, ...crm, ...line }])
  })

  it('has a line for a start that was refused', async () => {
    const gateway = await start()
    const foreign = '/campaigns/cam_Nobody/export/start'
    await send(gateway, foreign, { method: 'POST', headers: [bearer(KEYS.crm)] })
    const line = { action: 'start', campaign: 'cam_Nobody', result: 'campaign-not-found' }
    expect(await audited(gateway, 1)).toEqual([{ requestId, ...crm, ...line }])
  })

  it('has a line for a download, and none for its head', async () => {
    const gateway = await start()
    const headers = [bearer(KEYS.crm)]
    await send(gateway, FILE, { method: 'HEAD', headers })
    await send(gateway, FILE, { headers })
    const [line] = await audited(gateway, 1)
    const { campaignId: campaign, exportId } = SALES
    expect(line).toEqual({
      ...{ requestId, ...crm, action: 'download', campaign, export: exportId, result: 'ok' },
    })
  })

  it('has a line for a ticket: what it opens and how long, and nothing of the ticket itself', async () => {
    const gateway = await start()
    const campaigns = [SALES.campaignId]
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns, scopes: ['file'] })
    expect(await audited(gateway, 1)).toEqual([
      {
        ...{ requestId, ...crm, action: 'ticket', campaigns, exports: [], scopes: ['file'] },
        ...{ expiresAt: expect.stringMatching(/^\d{4}-/), result: 'ok' },
      },
    ])
    await send(gateway, `${FILE}?ticket=${ticket}`)
    const [, download] = await audited(gateway, 2)
    expect(download).toMatchObject({ caller: 'crm', proof: 'ticket', action: 'download' })
    for (const part of ticket.split('.').slice(1)) expect(gateway.logs()).not.toContain(part)
    expect(gateway.logs()).not.toContain(KEYS.crm)
  })

  it('has no line for somebody who has not proved who he is', async () => {
    const gateway = await start()
    await send(gateway, START, { method: 'POST' })
    await send(gateway, START, { method: 'POST', headers: [bearer(KEYS.crm)] })
    expect(await audited(gateway, 1)).toMatchObject([{ caller: 'crm' }])
  })
})

describe('the lines of requests and streams', () => {
  it('name the caller and the account', async () => {
    const gateway = await start()
    await send(gateway, eventsPath(SALES), { headers: [bearer(KEYS.crm)] })
    await send(gateway, statusPath(SALES), {
      headers: [bearer(KEYS.crm), 'X-Lemlist-Account: emea'],
    })
    // Regression: a request that was refused before its route ran named no account.
    await send(gateway, '/campaigns/cam_A/exports?limit=0', { headers: [bearer(KEYS.crm)] })
    await send(gateway, statusPath(SALES), { headers: [bearer(KEYS.spare)] })
    const lines = () => logLines(gateway.logs()).filter(({ msg }) => msg === 'request')
    await expect.poll(lines).toHaveLength(4)
    expect(lines()).toMatchObject([
      { caller: 'crm', account: 'sales', status: 200 },
      { caller: 'crm', status: 404 },
      { caller: 'crm', account: 'sales', status: 400 },
      { caller: 'anonymous', status: 401, problem: 'unauthenticated' },
    ])
    // What is not the caller's is named nowhere, not even by the header that he has sent.
    expect(lines()[1]).not.toHaveProperty('account')
    const stream = logLines(gateway.logs()).find(({ msg }) => msg === 'stream')
    expect(stream).toMatchObject({ caller: 'crm', account: 'sales', ending: 'complete' })
  })
})

describe('a reload', () => {
  it('says by name what changed', async () => {
    const gateway = await start()
    const accounts = { sales: { apiKey: 'another-key' }, apac: { apiKey: 'a-third-key' } }
    const callers = { crm: entry(KEYS.crm, { accounts: ['sales'], scopes: ['status'] }) }
    const changes = await gateway.reload({ accounts, callers })
    expect(changes.toSorted()).toEqual([
      'account apac: added',
      'account emea: removed',
      'account sales: key changed',
      'caller bi: removed',
      'caller crm: rights changed',
    ])
    expect(await gateway.reload({ accounts, callers })).toEqual([])
  })

  it('cuts the streams of an account that is gone', async () => {
    const gateway = await start()
    gateway.lemlist.add({ campaignId: 'cam_E', exportId: 'axp_E', durationMs: 3_600_000 })
    const { accounts, callers } = twoAccounts
    const path = eventsPath({ campaignId: 'cam_E', exportId: 'axp_E' })
    const stream = openEvents(gateway.url + path, { headers: [bearer(KEYS.crm)] })
    await stream.until(() => stream.text() !== '')
    await gateway.reload({ accounts: { emea: accounts?.emea }, callers: { bi: callers?.bi } })
    expect(await stream.ended).toBe('abrupt')
    expect(stream.retryMs()).toBeLessThanOrEqual(3_000)
    await expect.poll(() => gateway.logs()).toContain('"ending":"closed"')
  })
})
