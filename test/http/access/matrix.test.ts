import { beforeAll, describe, expect, it } from 'vitest'
import { createKey } from '../../../src/access/keys.ts'
import { LEMLIST_KEYS, startAccessGateway, ticketOf } from '../../helpers/access-gateway.ts'
import {
  ACCOUNT_HEADERS,
  ALL_SCOPES,
  accessFileOf,
  CALLERS,
  type Credential,
  ENDLESS,
  OF_CAMPAIGNS,
  ROUTES,
  type Route,
  TARGETS,
  type Target,
  type Verdict,
  verdictOf,
} from '../../helpers/access-matrix.ts'
import { type Heard, keptAlive } from '../../helpers/kept-alive.ts'
import { FAST, UNLIMITED } from '../../helpers/pace.ts'
import { createSigningKey, type SigningKey, startProvider } from '../../helpers/provider.ts'

/** Every caller on every route, with every kind of credential, for what is his and what is not. */

const ISSUER = 'https://id.example.com/'
const SECRET_NAME = 'Confidential campaign of'

interface Case {
  readonly credential: Credential
  readonly route: Route
  readonly target: Target
  readonly account: string | undefined
  readonly sent: { readonly headers: Record<string, string>; readonly query: string }
  readonly verdict: Verdict
}

type Carried = Credential & {
  readonly value: string
  readonly way: 'bearer' | 'x-api-key' | 'query'
}

let signing: SigningKey
beforeAll(async () => {
  signing = await createSigningKey('k1')
})

const setUp = async () => {
  const provider = await startProvider()
  provider.show(signing)
  const keys = Object.fromEntries(Object.keys(CALLERS).map((name) => [name, createKey()]))
  const gateway = await startAccessGateway({
    file: accessFileOf(keys, LEMLIST_KEYS),
    env: {
      ...FAST,
      ...{ AUTH: 'keys,jwt', JWT_JWKS_URL: provider.url.href, JWT_ISSUER: ISSUER },
      ...{ JWT_AUDIENCE: 'gateway', CALLER_RATE_LIMIT: '1000000' },
      // Regression: after 15 s a heartbeat came to a stream that waited for lemlist, and made its text
      // another than that of a refused one.
      SSE_HEARTBEAT_MS: '600000',
    },
    lemlist: {
      rateLimit: UNLIMITED,
      exports: TARGETS.flatMap(({ account, ...ids }) =>
        account === undefined
          ? []
          : [
              {
                ...{ ...ids, durationMs: 0, campaignName: `${SECRET_NAME} ${account}` },
                apiKey: account === 'sales' ? LEMLIST_KEYS.sales : LEMLIST_KEYS.emea,
              },
            ],
      ),
    },
  })
  const credentials: Carried[] = [
    { name: 'nobody', kind: 'none', rights: undefined, value: '', way: 'bearer' },
  ]
  for (const [name, rights] of Object.entries(CALLERS)) {
    const key = keys[name] ?? ''
    credentials.push({ name, kind: 'key', rights, value: key, way: 'bearer' })
    credentials.push({ name, kind: 'key', rights, value: key, way: 'x-api-key' })
    const { scopes, ...claims } = rights
    const exp = Math.floor(Date.now() / 1_000) + 600
    const jwt = await signing.sign({
      ...{ iss: ISSUER, aud: 'gateway', sub: `user of ${name}`, exp },
      ...claims,
      ...(scopes && { scope: scopes.map((scope) => `exports:${scope}`).join(' ') }),
    })
    credentials.push({ name, kind: 'jwt', rights, value: jwt, way: 'bearer' })
    for (const ticket of await ticketsOf(gateway, key, rights)) {
      const one = { name: `${name}, ticket`, kind: 'ticket' as const, ...ticket }
      credentials.push({ ...one, way: 'bearer' }, { ...one, way: 'query' })
    }
  }
  return { gateway, credentials, hear: keptAlive(gateway.url) }
}

/** A ticket for campaigns, and one for a single export, as far as the caller may make them. */
const ticketsOf = async (
  gateway: { readonly url: string },
  key: string,
  { accounts, campaigns, scopes = ALL_SCOPES }: (typeof CALLERS)[string],
) => {
  const allowed = scopes.filter((scope) => scope !== 'start')
  if (allowed.length === 0) return []
  const account = accounts.at(-1) ?? ''
  const header = [`X-Lemlist-Account: ${account}`]
  const wanted = (campaigns ?? ['cam_S1', 'cam_E1', 'cam_None']).slice(-2)
  const [campaign = ''] = wanted
  const one = `${campaign}/axp_${campaign.slice('cam_'.length)}`
  const all = [...scopes]
  const [ofCampaigns, ofExport] = [
    await ticketOf(gateway, key, { campaigns: wanted }, header),
    await ticketOf(gateway, key, { exports: [one], scopes: all }, header),
  ]
  return [
    { value: ofCampaigns, rights: { accounts: [account], campaigns: wanted, scopes: allowed } },
    {
      value: ofExport,
      rights: { accounts: [account], campaigns: [], exports: [one], scopes: all },
    },
  ]
}

const sentBy = ({ value, way }: Carried, account: string | undefined): Case['sent'] => {
  const chosen = account === undefined ? {} : { 'x-lemlist-account': account }
  if (value === '') return { headers: { ...chosen }, query: '' }
  if (way === 'query') return { headers: { ...chosen }, query: `ticket=${value}` }
  const carried = way === 'bearer' ? { authorization: `Bearer ${value}` } : { 'x-api-key': value }
  return { headers: { ...chosen, ...carried }, query: '' }
}

const casesOf = (credentials: readonly Carried[]): Case[] =>
  credentials.flatMap((credential) =>
    ROUTES.filter(({ takesTicket }) => takesTicket || credential.way !== 'query').flatMap((route) =>
      TARGETS.flatMap((target) =>
        ACCOUNT_HEADERS.map((account) => ({
          ...{ credential, route, target, account, sent: sentBy(credential, account) },
          verdict: verdictOf(credential, route, target, account),
        })),
      ),
    ),
  )

const EXPECTED: Readonly<Record<Verdict, number>> = {
  ...{ unauthenticated: 401, forbidden: 403, foreign: 404, missing: 404, 'no-account': 404 },
  allowed: 200,
}
const statusOf = ({ verdict, route }: Case): number => {
  const { name, method } = route
  if (verdict === 'allowed') return method === 'POST' ? 201 : 200
  // Whether lemlist knows a campaign does not matter for what the gateway knows of it.
  if (verdict === 'missing' && OF_CAMPAIGNS.has(name)) return 200
  // The stream of many tells of each export and is never refused for one of them.
  return name === 'many' && EXPECTED[verdict] === 404 ? 200 : EXPECTED[verdict]
}

/** An answer without what differs each time, so that answers can be compared as texts. */
const textOf = ({ status, headers, body }: Heard, { campaignId, exportId }: Target): string => {
  const lines = headers.flatMap((name, index) =>
    index % 2 === 1 || /^(x-request-id|date)$/i.test(name)
      ? []
      : [`${name}: ${headers[index + 1]}`],
  )
  const said = body
    .replace(/"instance":"[^"]+"/g, '"instance":""')
    .replace(/retry: \d{4,5}\n/g, '')
    .replace(/id: over\.\S+/g, 'id: over')
    .replaceAll(campaignId, 'CAMPAIGN')
    .replaceAll(exportId, 'EXPORT')
  return [status, ...lines, '', said].join('\n')
}

const nameOf = ({ credential, route, target, account, verdict }: Case): string =>
  `${credential.name} (${credential.kind}) ${route.name} ${target.campaignId} in ${account}: ${verdict}`

describe('callers × accounts × campaigns × scopes × routes × credentials', () => {
  it('everybody gets what is his, and nobody learns whether anything else exists', async () => {
    const { gateway, credentials, hear } = await setUp()
    const cases = casesOf(credentials).filter(
      ({ route, verdict }) =>
        route.name !== ENDLESS || (verdict !== 'allowed' && verdict !== 'missing'),
    )
    const ask = async (one: Case): Promise<Heard> => {
      const { route, target, sent } = one
      const path = route.pathOf(target)
      const query = sent.query === '' ? '' : `${path.includes('?') ? '&' : '?'}${sent.query}`
      const isTicket = route.name === 'tickets'
      return hear({
        method: route.method,
        path: `${path}${query}`,
        headers: { ...sent.headers, ...(isTicket && { 'content-type': 'application/json' }) },
        body: isTicket ? JSON.stringify({ campaigns: [target.campaignId] }) : undefined,
      })
    }
    /** Asks for all, a few at once, and returns the text of each answer. */
    const askAll = async (all: readonly Case[]): Promise<Map<Case, string>> => {
      const texts = new Map<Case, string>()
      const left = all.values()
      const work = async () => {
        for (const one of left) {
          const heard = await ask(one)
          expect(heard.status, nameOf(one)).toBe(statusOf(one))
          texts.set(one, textOf(heard, one.target))
          const isLeak = heard.body.includes(SECRET_NAME) || heard.body.includes('/api/files/')
          if (isLeak) expect(one.verdict, nameOf(one)).toBe('allowed')
        }
      }
      await Promise.all(Array.from({ length: 8 }, work))
      return texts
    }

    const own = cases.filter(({ verdict }) => verdict === 'allowed')
    const missing = cases.filter(({ verdict }) => verdict === 'missing')
    const refused = cases.filter(({ verdict }) => verdict !== 'allowed' && verdict !== 'missing')
    for (const some of [own, missing, refused]) expect(some.length).toBeGreaterThan(200)

    /** The calls that a request has caused. The gateway also follows what was started. */
    const caused = () =>
      gateway.lemlist.calls.filter(
        ({ operation, exportId }) =>
          operation !== 'status' || TARGETS.some((target) => target.exportId === exportId),
      )
    gateway.lemlist.clearCalls()
    const before = await askAll(refused)
    expect(caused(), 'a refusal makes no call').toEqual([])
    await askAll(own)
    const unknown = await askAll(missing)
    // By now the gateway has kept everything that it may keep.
    gateway.lemlist.clearCalls()
    const after = await askAll(refused)
    expect(caused(), 'a refusal makes no call').toEqual([])

    for (const route of ROUTES) {
      const textsOf = (texts: Map<Case, string>, ...verdicts: readonly Verdict[]): Set<string> =>
        new Set(
          [...texts]
            .filter(([one]) => one.route === route && verdicts.includes(one.verdict))
            .map(([, text]) => text),
        )
      const alike = ['foreign', 'no-account'] as const
      const all = new Set([...textsOf(before, ...alike), ...textsOf(after, ...alike)])
      expect(all.size, route.name).toBe(1)
      if (OF_CAMPAIGNS.has(route.name)) {
        // Nothing of a campaign is told in an account that does not have it.
        const heard = [...textsOf(unknown, 'missing')]
        expect(heard.length, route.name).toBeGreaterThan(0)
        for (const text of heard) expect(text, route.name).not.toContain('EXPORT')
        continue
      }
      if (route.name === ENDLESS) continue
      // A ticket may be made for a campaign that lemlist does not know.
      if (route.name !== 'tickets') expect(textsOf(unknown, 'missing')).toEqual(all)
      for (const verdict of ['unauthenticated', 'forbidden'] as const) {
        expect(textsOf(before, verdict)).toEqual(textsOf(after, verdict))
      }
    }
  }, 120_000)
})
