import { describe, expect, it } from 'vitest'
import {
  ALLOWED,
  APP,
  corsOf,
  DEV,
  EXPOSED,
  expectReadable,
  expectUnreadable,
  OPEN_TO_PAGES,
  preflightOf,
  requestOf,
  STRANGER,
} from '../helpers/cross-origin.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { OPERATIONS } from '../helpers/openapi.ts'
import { expectProblem } from '../helpers/problem.ts'
import { ask } from '../helpers/wire.ts'

/** What the gateway answers when a browser asks, before a request, whether a page may send it. */

const IDS = { campaignId: 'cam_A1B2C3', exportId: 'axp_D4E5F6' } as const
const withIds = (path: string): string =>
  path.replace('{campaignId}', IDS.campaignId).replace('{exportId}', IDS.exportId)

/** The methods of each path of the OpenAPI document. */
const ROUTES = Map.groupBy(
  OPERATIONS.map(({ name }) => name.split(' ')),
  ([, path = '']) => withIds(path),
)
const METHODS = [...ROUTES].map(
  ([path, operations]) =>
    [
      path,
      operations
        .map(([method]) => method)
        .toSorted()
        .join(', '),
    ] as const,
)
const STATUS = withIds('/campaigns/{campaignId}/export/{exportId}/status')

describe('a preflight of a listed page', () => {
  const gateway = sharedGateway({ env: OPEN_TO_PAGES })
  const preflight = (origin: string | undefined, target: string, method?: string) =>
    ask(gateway().url, preflightOf(origin, target, method))

  it('is asked about every route', () => {
    expect(METHODS).toContainEqual([STATUS, 'GET, HEAD'])
    expect(METHODS.length).toBeGreaterThan(8)
  })

  it.each(METHODS)('to %s is told the methods %s', async (path, methods) => {
    const { status, headers, body } = await preflight(APP, path, methods.split(', ')[0])
    expect([status, body]).toEqual([204, ''])
    expect(corsOf(headers)).toEqual({
      'access-control-allow-headers': ALLOWED,
      'access-control-allow-methods': methods,
      'access-control-allow-origin': APP,
      'access-control-expose-headers': EXPOSED,
      'access-control-max-age': '7200',
    })
    expect([headers.get('vary'), headers.get('allow')]).toEqual(['Origin', null])
    expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
  })

  it('is told the same methods whichever method it asks for', async () => {
    for (const method of ['HEAD', 'POST', 'DELETE', 'NONSENSE']) {
      const { headers } = await preflight(DEV, STATUS, method)
      expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD')
    }
  })

  it('to an unknown path lets the page send its request, so that it can read the 404', async () => {
    const { status, headers } = await preflight(APP, '/nowhere')
    expect([status, headers.get('access-control-allow-methods')]).toEqual([204, null])
    expect(headers.get('access-control-allow-headers')).toBe(ALLOWED)
    const answer = await ask(gateway().url, requestOf(APP, '/nowhere'))
    expectProblem(answer, 'not-found')
    expectReadable(answer.headers, APP)
  })

  it('to a malformed id is answered like any other', async () => {
    const { status, headers } = await preflight(APP, '/campaigns/x/export/y/status')
    expect([status, headers.get('access-control-allow-methods')]).toEqual([204, 'GET, HEAD'])
  })

  it('never reaches lemlist', async () => {
    for (const [path] of METHODS) await preflight(APP, path)
    expect(gateway().lemlist.calls).toEqual([])
  })

  it('to another host or with a URL that is too long is refused, in words that the page may read', async () => {
    const elsewhere = await preflight(APP, `http://other.example${STATUS}`)
    expectProblem(elsewhere, 'misdirected-request')
    expectReadable(elsewhere.headers, APP)
    const long = await preflight(APP, `${STATUS}?${'q'.repeat(3_000)}`)
    expectProblem(long, 'uri-too-long')
    expectReadable(long.headers, APP)
  })
})

describe.each([
  ['of a stranger', OPEN_TO_PAGES, STRANGER],
  ['of a page without an origin', OPEN_TO_PAGES, 'null'],
  ['of nobody', OPEN_TO_PAGES, undefined],
  ['without a list', {}, APP],
] as const)('a preflight %s', (_, env, origin) => {
  const gateway = sharedGateway({ env })

  it('is answered like any OPTIONS: the route has no such method', async () => {
    const answer = await ask(gateway().url, preflightOf(origin, STATUS))
    expectProblem(answer, 'method-not-allowed')
    expect(answer.headers.get('allow')).toBe('GET, HEAD')
    if ('CORS_ORIGINS' in env) expectUnreadable(answer.headers)
    else expect([corsOf(answer.headers), answer.headers.get('vary')]).toEqual([{}, null])
  })

  it('to an unknown path is answered with 404', async () => {
    expectProblem(await ask(gateway().url, preflightOf(origin, '/nowhere')), 'not-found')
  })
})
