import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type AccessGateway,
  bearer,
  EMEA,
  LEMLIST_KEYS,
  SALES,
  send,
  startAccessGateway,
  TWO_TEAMS,
  ticketOf,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { isState, openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, manyEventsPath, statusPath } from '../../helpers/gateway.ts'
import { FAST } from '../../helpers/pace.ts'
import { expectProblem } from '../../helpers/problem.ts'

const OTHER = { campaignId: 'cam_Sales2', exportId: 'axp_Sales2' }
const PENDING = { campaignId: 'cam_Sales1', exportId: 'axp_Pending1' }
const ACCOUNTS = {
  sales: { apiKey: LEMLIST_KEYS.sales },
  emea: { apiKey: LEMLIST_KEYS.emea },
}
const FILE = {
  accounts: ACCOUNTS,
  callers: {
    crm: entry(KEYS.crm, { accounts: ['sales', 'emea'] }),
    bi: entry(KEYS.bi, { accounts: ['emea'] }),
    spare: entry(KEYS.spare, { accounts: ['sales'], campaigns: [SALES.campaignId] }),
  },
}

const start = (env: Readonly<Record<string, string>> = {}) =>
  startAccessGateway({
    file: FILE,
    env: { ...FAST, ...env },
    lemlist: {
      exports: [
        ...(TWO_TEAMS.exports ?? []),
        { ...OTHER, apiKey: LEMLIST_KEYS.sales, durationMs: 0 },
        { ...PENDING, apiKey: LEMLIST_KEYS.sales, durationMs: 3_600_000 },
      ],
    },
  })

const post = (gateway: AccessGateway, body: string, headers: readonly string[] = []) =>
  send(gateway, '/tickets', {
    method: 'POST',
    headers: [bearer(KEYS.crm), 'Content-Type: application/json', ...headers],
    body,
  })

const filePath = (ref: typeof SALES) => statusPath(ref).replace(/status$/, 'file')
const startPath = ({ campaignId }: typeof SALES) => `/campaigns/${campaignId}/export/start`

describe('POST /tickets', () => {
  it('answers 201 with a ticket and its end, and nobody may keep the answer', async () => {
    const gateway = await start()
    const before = Date.now()
    const answer = await post(gateway, '{"campaigns":["cam_Sales1"],"ttl":60}')
    expect(answer.status).toBe(201)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    const { ticket, expiresAt, ...rest } = JSON.parse(answer.body)
    expect(ticket).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
    expect(Date.parse(expiresAt) - before).toBeGreaterThanOrEqual(60_000)
    expect(Date.parse(expiresAt) - before).toBeLessThan(65_000)
    expect(rest).toEqual({})
  })

  it.each([
    ['no body', '', 'invalid-request'],
    ['no object', '[]', 'invalid-request'],
    ['no JSON', '{', 'invalid-request'],
    ['nothing to open', '{}', 'invalid-request'],
    ['a malformed id', '{"campaigns":["nope"]}', 'invalid-request'],
    ['an unknown field', '{"campaigns":["cam_A"],"secret-of-mine":1}', 'invalid-request'],
    ['a ttl that is too long', '{"campaigns":["cam_A"],"ttl":8101}', 'invalid-request'],
    ['more than 16 KiB', `{"campaigns":["${'x'.repeat(16_384)}"]}`, 'payload-too-large'],
  ])('refuses %s', async (_, body, code) => {
    const gateway = await start()
    const answer = await post(gateway, body)
    expectProblem(answer, code)
    expect(answer.body).not.toContain('secret-of-mine')
  })

  it('does not read a body of another type', async () => {
    const gateway = await start()
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = [bearer(KEYS.crm), `Content-Type: ${type}`]
      const body = '{"campaigns":["cam_Sales1"]}'
      const answer = await send(gateway, '/tickets', { method: 'POST', headers, body })
      expectProblem(answer, 'unsupported-media-type')
    }
  })

  it('makes no ticket for an account that is not the caller’s', async () => {
    const gateway = await start()
    const header = ['X-Lemlist-Account: nowhere']
    expectProblem(await post(gateway, '{"campaigns":["cam_A"]}', header), 'campaign-not-found')
  })

  // Regression: the text told an account that is not the caller's from a campaign that is not his.
  it('tells of a foreign account what it tells of a foreign campaign', async () => {
    const gateway = await start()
    const said = async (campaign: string, ...headers: string[]) => {
      const { status, body } = await send(gateway, '/tickets', {
        method: 'POST',
        headers: [bearer(KEYS.spare), 'Content-Type: application/json', ...headers],
        body: `{"campaigns":["${campaign}"]}`,
      })
      return { status, body: body.replace(/"instance":"[^"]+"/, '') }
    }
    const foreign = await said('cam_Sales2')
    expect(foreign.status).toBe(404)
    for (const name of ['emea', 'nowhere', '__proto__']) {
      expect(await said('cam_Sales2', `X-Lemlist-Account: ${name}`)).toEqual(foreign)
      expect(await said('cam_Sales1', `X-Lemlist-Account: ${name}`)).toEqual(foreign)
    }
  })

  it('makes no ticket for a ticket', async () => {
    const gateway = await start()
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: ['cam_Sales1'] })
    await expect(ticketOf(gateway, ticket, { campaigns: ['cam_Sales1'] })).rejects.toThrow(
      'forbidden',
    )
  })
})

describe('a ticket', () => {
  it('opens what it names on every route of its scopes, and nothing else', async () => {
    const gateway = await start()
    const wanted = { campaigns: [SALES.campaignId], scopes: ['status', 'file'] }
    const ticket = await ticketOf(gateway, KEYS.crm, wanted)
    const headers = [bearer(ticket)]
    expect((await send(gateway, statusPath(SALES), { headers })).status).toBe(200)
    expect((await send(gateway, `${filePath(SALES)}?ticket=${ticket}`)).status).toBe(200)
    expect((await send(gateway, `${eventsPath(SALES)}?ticket=${ticket}`)).status).toBe(200)
    expectProblem(await send(gateway, statusPath(OTHER), { headers }), 'campaign-not-found')
    const other = `${filePath(OTHER)}?ticket=${ticket}`
    expectProblem(await send(gateway, other), 'campaign-not-found')
    const startIt = await send(gateway, startPath(SALES), { method: 'POST', headers })
    expectProblem(startIt, 'forbidden')
    const many = await send(gateway, `${manyEventsPath([SALES, OTHER])}&ticket=${ticket}`)
    expect(many.body.match(/^event: .+$/gm)?.toSorted()).toEqual(
      ['end', 'gone', 'status'].map((name) => `event: ${name}`),
    )
  })

  it('opens one export of a campaign, and not the campaign', async () => {
    const gateway = await start()
    const exports = [`${SALES.campaignId}/${SALES.exportId}`]
    const ticket = await ticketOf(gateway, KEYS.crm, { exports, scopes: ['status', 'start'] })
    const headers = [bearer(ticket)]
    expect((await send(gateway, statusPath(SALES), { headers })).status).toBe(200)
    expectProblem(await send(gateway, statusPath(PENDING), { headers }), 'campaign-not-found')
    const startIt = await send(gateway, startPath(SALES), { method: 'POST', headers })
    expectProblem(startIt, 'campaign-not-found')
  })

  it('is of one account, whatever its maker may use besides', async () => {
    const gateway = await start()
    const emea = ['X-Lemlist-Account: emea']
    const wanted = { campaigns: [EMEA.campaignId, SALES.campaignId] }
    const ticket = await ticketOf(gateway, KEYS.crm, wanted, emea)
    const read = (ref: typeof SALES, ...also: string[]) =>
      send(gateway, statusPath(ref), { headers: [bearer(ticket), ...also] })
    expect((await read(EMEA)).status).toBe(200)
    expect((await read(SALES)).status).toBe(404)
    expect((await read(SALES, 'X-Lemlist-Account: sales')).status).toBe(404)
  })

  it('starts an export when it has the scope, and its start is one with its maker’s', async () => {
    const gateway = await start()
    const wanted = { campaigns: [SALES.campaignId], scopes: ['start'] }
    const ticket = await ticketOf(gateway, KEYS.crm, wanted)
    const startWith = (credential: string) =>
      send(gateway, startPath(SALES), {
        method: 'POST',
        headers: [bearer(credential), 'Idempotency-Key: one'],
      })
    const first = await startWith(ticket)
    expect(first.status).toBe(201)
    expect((await startWith(KEYS.crm)).body).toBe(first.body)
    expect(gateway.lemlist.calls.filter(({ operation }) => operation === 'start')).toHaveLength(1)
  })

  it('ends at once when its caller is taken out of the file; an open stream goes on', async () => {
    const gateway = await start()
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SALES.campaignId] })
    const path = `${eventsPath(PENDING)}?ticket=${ticket}`
    const stream = openEvents(gateway.url + path)
    onTestFinished(() => void stream.socket.destroy())
    await stream.waitFor(isState('pending'))
    const { crm: _, ...others } = FILE.callers
    await gateway.reload({ ...FILE, callers: others })
    const again = await send(gateway, path)
    expectProblem(again, 'unauthenticated')
    expect(again.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    gateway.lemlist.finish(PENDING.exportId)
    await stream.waitFor(isState('done'))
    expect(await stream.ended).toBe('clean')
  })

  it('has no more rights than its caller has now', async () => {
    const gateway = await start()
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SALES.campaignId] })
    const crm = entry(KEYS.crm, { accounts: ['sales'], campaigns: ['cam_Another'] })
    await gateway.reload({ accounts: ACCOUNTS, callers: { crm } })
    const headers = [bearer(ticket)]
    expectProblem(await send(gateway, statusPath(SALES), { headers }), 'campaign-not-found')
  })
})
