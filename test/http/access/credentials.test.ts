import { describe, expect, it } from 'vitest'
import {
  bearer,
  SALES,
  send,
  startAccessGateway,
  TWO_TEAMS,
  ticketOf,
  twoAccounts,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { eventsPath, manyEventsPath, startGateway, statusPath } from '../../helpers/gateway.ts'
import { expectProblem } from '../../helpers/problem.ts'

const FILE = statusPath(SALES).replace(/status$/, 'file')
const START = `/campaigns/${SALES.campaignId}/export/start`
const CLOSED: readonly (readonly [method: string, target: string])[] = [
  ['GET', statusPath(SALES)],
  ['HEAD', statusPath(SALES)],
  ['GET', eventsPath(SALES)],
  ['GET', manyEventsPath([SALES])],
  ['GET', FILE],
  ['HEAD', FILE],
  ['POST', START],
  ['POST', '/tickets'],
]
const OPEN = [
  ...['/health/live', '/health/ready', '/', '/page/page.js', '/page/ready-made.json'],
  ...['/client.js', '/client.d.ts', '/docs/', '/docs/static/swagger-ui.css'],
  ...['/openapi.json', '/openapi.yaml'],
]
const JSON_TYPE = 'Content-Type: application/json'

const start = (env: Readonly<Record<string, string>> = {}) =>
  startAccessGateway({ file: twoAccounts, lemlist: TWO_TEAMS, env })

describe('a request without a credential', () => {
  it.each(CLOSED)('gets 401 with a plain challenge: %s %s', async (method, target) => {
    const gateway = await start()
    const answer = await send(gateway, target, { method, headers: [JSON_TYPE] })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    if (method !== 'HEAD') expectProblem(answer, 'unauthenticated')
    expect(gateway.lemlist.calls).toEqual([])
  })

  it.each(OPEN)('may read %s', async (target) => {
    const gateway = await start({ DOCS: 'true' })
    expect((await send(gateway, target)).status).toBe(200)
    expect((await send(gateway, target, { method: 'HEAD' })).status).toBe(200)
  })

  it('is told about an unknown route and a wrong method, which say nothing of anybody', async () => {
    const gateway = await start()
    expectProblem(await send(gateway, '/nowhere'), 'not-found')
    expectProblem(await send(gateway, START), 'method-not-allowed')
    expectProblem(await send(gateway, eventsPath(SALES), { method: 'PUT' }), 'method-not-allowed')
  })

  it('is refused before its ids are looked at', async () => {
    const gateway = await start()
    const malformed = statusPath({ ...SALES, campaignId: 'nope' })
    expectProblem(await send(gateway, malformed), 'unauthenticated')
    const known = await send(gateway, malformed, { headers: [bearer(KEYS.crm)] })
    expectProblem(known, 'invalid-id')
  })
})

describe('a credential', () => {
  it.each([
    ['a bearer token', bearer(KEYS.crm)],
    ['a bearer token of another case', `Authorization: bEARER   ${KEYS.crm} `],
    ['a key of its own header', `X-Api-Key: ${KEYS.crm}`],
  ])('opens the account of its caller as %s', async (_, header) => {
    const gateway = await start()
    const answer = await send(gateway, statusPath(SALES), { headers: [header] })
    expect(answer.status).toBe(200)
  })

  it.each([
    ['an unknown key', bearer(KEYS.spare)],
    ['a key that is cut', bearer(KEYS.crm.slice(0, -1))],
    ['nothing behind Bearer', 'Authorization: Bearer'],
    ['two words', bearer(`${KEYS.crm} ${KEYS.crm}`)],
    ['something that looks like a JWT', bearer('eyJhbGciOiJub25lIn0.e30.')],
    ['an unknown key of the other header', `X-Api-Key: ${KEYS.spare}`],
    ['an empty key', 'X-Api-Key:'],
  ])('gets 401 invalid_token as %s', async (_, header) => {
    const gateway = await start()
    const answer = await send(gateway, statusPath(SALES), { headers: [header] })
    expectProblem(answer, 'unauthenticated')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('of another scheme is meant for somebody else', async () => {
    const gateway = await start()
    const basic = 'Authorization: Basic dXNlcjpwYXNz'
    const alone = await send(gateway, statusPath(SALES), { headers: [basic] })
    expectProblem(alone, 'unauthenticated')
    expect(alone.headers.get('www-authenticate')).toBe('Bearer')
    const both = [basic, `X-Api-Key: ${KEYS.crm}`]
    expect((await send(gateway, statusPath(SALES), { headers: both })).status).toBe(200)
  })

  it('in the query is none, but for a ticket on the events routes and the file route', async () => {
    const gateway = await start()
    for (const name of ['ticket', 'key', 'access_token', 'api_key']) {
      const answer = await send(gateway, `${statusPath(SALES)}?${name}=${KEYS.crm}`)
      expectProblem(answer, 'unauthenticated')
      expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    }
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SALES.campaignId] })
    expectProblem(await send(gateway, `${statusPath(SALES)}?ticket=${ticket}`), 'unauthenticated')
    for (const target of [eventsPath(SALES), FILE]) {
      expect((await send(gateway, `${target}?ticket=${ticket}`)).status).toBe(200)
      const key = await send(gateway, `${target}?ticket=${KEYS.crm}`)
      expectProblem(key, 'unauthenticated')
    }
  })

  it.each([
    ['in two headers', eventsPath(SALES), [bearer(KEYS.crm), `X-Api-Key: ${KEYS.crm}`]],
    ['twice as a bearer token', eventsPath(SALES), [bearer(KEYS.crm), bearer(KEYS.crm)]],
    ['twice as a key', statusPath(SALES), [`X-Api-Key: ${KEYS.crm}`, `x-api-key: ${KEYS.crm}`]],
    ['in a header and in the query', `${eventsPath(SALES)}?ticket=x`, [bearer(KEYS.crm)]],
    ['twice in the query', `${eventsPath(SALES)}?ticket=x&ticket=y`, []],
  ])('%s is refused as malformed', async (_, target, headers) => {
    const gateway = await start()
    expectProblem(await send(gateway, target, { headers }), 'invalid-request')
  })
})

describe('a caller without the scope of a route', () => {
  it.each([
    ['status', [FILE, START]],
    ['file', [statusPath(SALES), eventsPath(SALES), manyEventsPath([SALES]), START]],
    ['start', [statusPath(SALES), eventsPath(SALES), manyEventsPath([SALES]), FILE]],
  ])('gets 403 when he has only %s', async (scope, targets) => {
    const callers = { crm: entry(KEYS.crm, { accounts: ['sales'], scopes: [scope] }) }
    const file = { ...twoAccounts, callers }
    const gateway = await startAccessGateway({ file, lemlist: TWO_TEAMS })
    for (const target of targets) {
      const method = target === START ? 'POST' : 'GET'
      const answer = await send(gateway, target, { method, headers: [bearer(KEYS.crm)] })
      expectProblem(answer, 'forbidden')
    }
    expect(gateway.lemlist.calls).toEqual([])
  })
})

describe('with AUTH=none', () => {
  it('whatever looks like a credential is meant for others', async () => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...SALES, durationMs: 0 }] } })
    for (const headers of [
      [bearer('whatever')],
      ['X-Api-Key: whatever', bearer('whatever')],
      ['Authorization: Basic dXNlcjpwYXNz'],
    ]) {
      expect((await send(gateway, statusPath(SALES), { headers })).status).toBe(200)
    }
  })

  it('a ticket opens only what it names, as everywhere', async () => {
    const gateway = await startGateway({ lemlist: { exports: [{ ...SALES, durationMs: 0 }] } })
    const made = await send(gateway, '/tickets', {
      method: 'POST',
      headers: [JSON_TYPE],
      body: JSON.stringify({ campaigns: ['cam_Other'] }),
    })
    const { ticket } = JSON.parse(made.body)
    const refused = await send(gateway, `${eventsPath(SALES)}?ticket=${ticket}`)
    expectProblem(refused, 'campaign-not-found')
    const broken = await send(gateway, `${eventsPath(SALES)}?ticket=${ticket}x`)
    expectProblem(broken, 'unauthenticated')
  })
})
