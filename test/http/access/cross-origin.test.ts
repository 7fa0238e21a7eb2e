import { describe, expect, it } from 'vitest'
import {
  bearer,
  EMEA,
  SALES,
  startAccessGateway,
  TWO_TEAMS,
  twoAccounts,
} from '../../helpers/access-gateway.ts'
import { KEYS } from '../../helpers/callers.ts'
import {
  APP,
  expectReadable,
  OPEN_TO_PAGES,
  preflightOf,
  requestOf,
} from '../../helpers/cross-origin.ts'
import { eventsPath, statusPath } from '../../helpers/gateway.ts'
import { ask } from '../../helpers/wire.ts'

describe('to pages of another origin, a gateway that wants a credential', () => {
  const start = (env: Readonly<Record<string, string>> = {}) =>
    startAccessGateway({ file: twoAccounts, env: { ...OPEN_TO_PAGES, ...env }, lemlist: TWO_TEAMS })
  const crm = { headers: [bearer(KEYS.crm)] }

  it('a preflight needs no credential and counts for nobody', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '1' })
    for (let n = 0; n < 5; n += 1) {
      const { status } = await ask(gateway.url, preflightOf(APP, statusPath(SALES)))
      expect(status).toBe(204)
    }
    const { status } = await ask(gateway.url, requestOf(APP, statusPath(SALES), crm))
    expect(status).toBe(200)
  })

  it('a page may read that its credential is missing, that it may not, and that it is too quick', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '1' })
    const get = (path: string, init = {}) => ask(gateway.url, requestOf(APP, path, init))
    const answers = [
      await get(statusPath(SALES)),
      await get(eventsPath(SALES)),
      await get(statusPath(EMEA), crm),
      await get(statusPath(SALES), crm),
      await get(eventsPath(SALES), crm),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 404, 429, 200])
    for (const { headers } of answers) expectReadable(headers, APP)
  })

  it('a status names the origin beside the other fields that it depends on', async () => {
    const gateway = await start()
    const { headers } = await ask(gateway.url, requestOf(APP, statusPath(SALES), crm))
    expectReadable(headers, APP)
    expect(headers.get('vary')).toBe('Origin, Authorization, X-Api-Key, X-Lemlist-Account')
  })

  it('a ticket that a page of the list makes is readable', async () => {
    const gateway = await start()
    const body = JSON.stringify({ campaigns: [SALES.campaignId] })
    const headers = ['Content-Type: application/json', `Content-Length: ${body.length}`]
    const init = { method: 'POST', headers: [...crm.headers, ...headers], body }
    const made = await ask(gateway.url, requestOf(APP, '/tickets', init))
    expect(made.status).toBe(201)
    expectReadable(made.headers, APP)
  })
})
