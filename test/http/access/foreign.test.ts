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
  twoAccounts,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, manyEventsPath, statusPath } from '../../helpers/gateway.ts'
import type { WireAnswer } from '../../helpers/wire.ts'

/**
 * What a caller may not see is answered like what does not exist. `crm` may use one campaign of
 * `sales`, and `all` the whole account.
 */
const OTHER = { campaignId: 'cam_Sales2', exportId: 'axp_Sales2' }
const NOWHERE = { campaignId: 'cam_Nowhere', exportId: 'axp_Nowhere' }
const SALES_PENDING = { campaignId: SALES.campaignId, apiKey: LEMLIST_KEYS.sales }
const FILE = {
  ...twoAccounts,
  callers: {
    crm: entry(KEYS.crm, { accounts: ['sales'], campaigns: [SALES.campaignId] }),
    all: entry(KEYS.bi, { accounts: ['sales', 'emea'] }),
  },
}
const start = () =>
  startAccessGateway({
    file: FILE,
    lemlist: {
      exports: [
        ...(TWO_TEAMS.exports ?? []),
        { ...OTHER, apiKey: LEMLIST_KEYS.sales, durationMs: 0 },
      ],
    },
  })

const filePath = (ref: typeof SALES) => statusPath(ref).replace(/status$/, 'file')
const startPath = ({ campaignId }: typeof SALES) => `/campaigns/${campaignId}/export/start`

/** All that an answer says, without what differs each time: ids of requests, dates, pauses. */
const saidBy = (
  { status, headers, body, rest }: WireAnswer,
  { exportId, campaignId } = NOWHERE,
) => ({
  status,
  headers: [...headers].filter(([name]) => name !== 'x-request-id' && name !== 'date'),
  body: body
    .replace(/"instance":"[^"]+"/g, '"instance":""')
    .replace(/^([0-9a-f]+\r\n)?retry: \d{4,5}$/gm, 'retry:')
    .replaceAll(exportId, 'EXPORT')
    .replaceAll(campaignId, 'CAMPAIGN')
    // The state of a stream is a hash over the ids.
    .replace(/id: (open|over)\.\S+/g, 'id: $1')
    .replace(/^([0-9a-f]+)?\r\n/gm, ''),
  rest,
})

type Ask = readonly [
  name: string,
  method: string,
  pathOf: (ref: typeof SALES) => string,
  headers: readonly string[],
]

const REQUESTS: readonly Ask[] = [
  ['the status', 'GET', statusPath, []],
  ['the head of the status', 'HEAD', statusPath, []],
  ['the status with a wait', 'GET', statusPath, ['Prefer: wait=5']],
  ['the status with a condition', 'GET', statusPath, ['If-None-Match: *']],
  ['the file', 'GET', filePath, []],
  ['a range of the file', 'GET', filePath, ['Range: bytes=0-1']],
  ['the head of the file', 'HEAD', filePath, []],
  ['a start', 'POST', startPath, []],
  ['a start with a key', 'POST', startPath, ['Idempotency-Key: one']],
  ['the events', 'GET', eventsPath, []],
  ['the events after the end', 'GET', eventsPath, ['Last-Event-ID: gone.campaign-not-found']],
  ['the events after something', 'GET', eventsPath, ['Last-Event-ID: something']],
  ['the events of many', 'GET', (ref) => manyEventsPath([ref]), []],
]

const asked = async (
  gateway: AccessGateway,
  key: string,
  ref: typeof SALES,
  [, method, pathOf, more]: Ask,
  also: readonly string[] = [],
) =>
  saidBy(
    await send(gateway, pathOf(ref), { method, headers: [bearer(key), ...more, ...also] }),
    ref,
  )

describe.each(REQUESTS)('whoever asks for %s', (...request) => {
  it('is told of a foreign campaign exactly what is told of one that lemlist does not know', async () => {
    const gateway = await start()
    const missing = await asked(gateway, KEYS.bi, NOWHERE, request)
    gateway.lemlist.clearCalls()
    expect(await asked(gateway, KEYS.crm, OTHER, request)).toEqual(missing)
    expect(await asked(gateway, KEYS.crm, NOWHERE, request)).toEqual(missing)
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('is told the same when the gateway has kept the answer for somebody else', async () => {
    const gateway = await start()
    await send(gateway, statusPath(OTHER), { headers: [bearer(KEYS.bi)] })
    gateway.lemlist.clearCalls()
    const cached = await asked(gateway, KEYS.crm, OTHER, request)
    expect(cached).toEqual(await asked(gateway, KEYS.crm, NOWHERE, request))
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('is told the same of an account that is not the caller’s, or of none', async () => {
    const gateway = await start()
    const missing = await asked(gateway, KEYS.crm, NOWHERE, request)
    for (const name of ['emea', 'nowhere', 'SALES', 'sales,emea', '__proto__', '']) {
      const header = [`X-Lemlist-Account: ${name}`]
      expect(await asked(gateway, KEYS.crm, SALES, request, header), name).toEqual(missing)
    }
    expect(gateway.lemlist.calls).toEqual([])
  })
})

describe('a stream of many exports', () => {
  // Regression: what somebody else's stream had just found missing came first and without a comment.
  it('tells a foreign one like a missing one that somebody watches, wherever it stands', async () => {
    const gateway = await start()
    const pending = gateway.lemlist.add({ ...SALES_PENDING, outcome: 'never' })
    const watching = openEvents(gateway.url + manyEventsPath([NOWHERE, pending]), {
      headers: [bearer(KEYS.bi)],
    })
    onTestFinished(() => void watching.socket.destroy())
    await watching.waitFor(({ event }) => event === 'gone')
    await send(gateway, statusPath(SALES), { headers: [bearer(KEYS.bi)] })
    const hear = async (key: string, ref: typeof SALES) =>
      saidBy(await send(gateway, manyEventsPath([ref, SALES]), { headers: [bearer(key)] }), ref)
    const missing = await hear(KEYS.bi, NOWHERE)
    expect(missing.body).toContain('event: gone')
    expect(await hear(KEYS.crm, OTHER)).toEqual(missing)
  })
})

describe('X-Lemlist-Account', () => {
  it('chooses among the accounts of the caller; without it the first counts', async () => {
    const gateway = await start()
    const read = (ref: typeof SALES, ...also: string[]) =>
      send(gateway, statusPath(ref), { headers: [bearer(KEYS.bi), ...also] })
    expect((await read(SALES)).status).toBe(200)
    expect((await read(EMEA)).status).toBe(404)
    expect((await read(EMEA, 'X-Lemlist-Account: emea')).status).toBe(200)
    expect((await read(SALES, 'X-Lemlist-Account: emea')).status).toBe(404)
  })

  it('keeps the accounts apart in caches between the gateway and the caller', async () => {
    const gateway = await start()
    const { headers } = await send(gateway, statusPath(SALES), { headers: [bearer(KEYS.bi)] })
    expect(headers.get('cache-control')).toMatch(/^private/)
    expect(headers.get('vary')).toBe('Authorization, X-Api-Key, X-Lemlist-Account')
  })

  it('makes starts of two accounts two starts, even with one key', async () => {
    const gateway = await start()
    gateway.lemlist.addCampaign('cam_Both', 'Both', LEMLIST_KEYS.sales)
    const once = ['Idempotency-Key: one', bearer(KEYS.bi)]
    const start1 = await send(gateway, '/campaigns/cam_Both/export/start', {
      ...{ method: 'POST', headers: once },
    })
    expect(start1.status).toBe(201)
    const start2 = await send(gateway, '/campaigns/cam_Both/export/start', {
      method: 'POST',
      headers: [...once, 'X-Lemlist-Account: emea'],
    })
    expect(start2.status).toBe(404)
  })
})

describe('the stream of many exports', () => {
  it('tells what is the caller’s, and tells the rest as gone', async () => {
    const gateway = await start()
    const { status, body } = await send(gateway, manyEventsPath([SALES, OTHER, NOWHERE]), {
      headers: [bearer(KEYS.crm)],
    })
    expect(status).toBe(200)
    expect(body.match(/^event: .+$/gm)?.toSorted()).toEqual(
      ['end', 'gone', 'gone', 'status'].map((name) => `event: ${name}`),
    )
    expect(gateway.lemlist.calls.map(({ exportId }) => exportId)).toEqual([SALES.exportId])
  })

  it('is over for a client that comes back after the end', async () => {
    const gateway = await start()
    const target = manyEventsPath([SALES, OTHER])
    const headers = [bearer(KEYS.crm)]
    const { body } = await send(gateway, target, { headers })
    const [id = ''] = body.match(/over\.\S+/) ?? []
    const again = await send(gateway, target, { headers: [...headers, `Last-Event-ID: ${id}`] })
    expect(again.status).toBe(204)
  })
})
