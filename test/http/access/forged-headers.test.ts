import { describe, expect, it } from 'vitest'
import {
  type AccessGateway,
  bearer,
  SALES,
  startAccessGateway,
  TWO_TEAMS,
  twoAccounts,
} from '../../helpers/access-gateway.ts'
import { KEYS } from '../../helpers/callers.ts'
import { logLines, statusPath } from '../../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../../helpers/pace.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

/** Headers by which a proxy tells of the caller, or by which other servers are told to do something else. */
const FORGED: readonly (readonly string[])[] = [
  ['X-Forwarded-For: 10.0.0.1'],
  ['X-Forwarded-For: 127.0.0.1, ::1', 'X-Forwarded-For: 10.0.0.2'],
  ['X-Forwarded-Host: evil.test', 'X-Forwarded-Port: 444', 'X-Forwarded-Proto: https'],
  ['X-Forwarded-Proto: javascript'],
  ['X-Forwarded-Prefix: //evil.test'],
  ['X-Forwarded-Server: evil.test', 'X-Forwarded-Ssl: on', 'Front-End-Https: on'],
  ['X-Forwarded-User: bi', 'X-Forwarded-Email: bi@evil.test', 'X-Remote-User: bi'],
  [`X-Forwarded-Access-Token: ${KEYS.bi}`],
  ['Forwarded: for=10.0.0.1;host=evil.test;proto=https'],
  ['X-Real-IP: 10.0.0.1', 'True-Client-IP: 10.0.0.1', 'CF-Connecting-IP: 10.0.0.1'],
  ['X-Client-IP: 10.0.0.1', 'X-Cluster-Client-IP: 10.0.0.1', 'Client-IP: 10.0.0.1'],
  ['X-HTTP-Method-Override: DELETE'],
  ['X-HTTP-Method: POST', 'X-Method-Override: POST'],
  ['X-Original-URL: /health/live', 'X-Rewrite-URL: /health/live'],
  ['X-Original-Host: evil.test', 'X-Host: evil.test', 'X-HTTP-Host-Override: evil.test'],
  ['Via: 1.1 evil.test', 'X-Original-Forwarded-For: 10.0.0.1'],
  ['Accept-Version: 2.0.0'],
  ['Host: evil.test'],
  ['Host: evil.test:444'],
]

/** Requests whose answers have links, redirect, tell of the caller or refuse. */
const REQUESTS: Readonly<Record<string, readonly [method: string, path: string, ...string[]]>> = {
  'a status': ['GET', statusPath(SALES), bearer(KEYS.crm)],
  'a status without a credential': ['GET', statusPath(SALES)],
  'a status of another caller': ['GET', statusPath(SALES), bearer(KEYS.bi)],
  'the head of a file': ['HEAD', statusPath(SALES).replace('/status', '/file'), bearer(KEYS.crm)],
  'a start from a foreign page': [
    'POST',
    `/campaigns/${SALES.campaignId}/export/start`,
    bearer(KEYS.crm),
    'Origin: https://other.test',
    'Sec-Fetch-Site: cross-site',
  ],
  'a method that the route does not have': ['DELETE', statusPath(SALES), bearer(KEYS.crm)],
  'a route that does not exist': ['GET', '/nowhere', bearer(KEYS.crm)],
  'the document': ['GET', '/openapi.json'],
  'the redirect to Swagger UI': ['GET', '/docs'],
  'the live page': ['GET', '/'],
  readiness: ['GET', '/health/ready'],
}

/** The answer and the log lines of a request, without what depends on the time. */
const outcome = async (
  { url, logs, lemlist }: AccessGateway,
  [method, path, ...headers]: readonly [string, string, ...string[]],
  forged: readonly string[] = [],
) => {
  const before = logs().length
  const called = lemlist.calls.length
  const host = forged.some((line) => line.startsWith('Host:')) ? [] : ['Host: gateway.test']
  const lines = [...host, 'X-Request-Id: same', ...headers, ...forged]
  const {
    status,
    headers: got,
    body,
  } = await ask(url, rawRequest(path, { method, headers: lines }))
  for (const name of ['date', 'age', 'cache-control', 'expires']) got.delete(name)
  await expect.poll(() => logs().slice(before)).toContain('"msg":"request"')
  const logged = logLines(logs().slice(before)).map(({ time: _, durationMs: __, ...line }) => line)
  const calls = lemlist.calls.length - called
  return { status, headers: [...got], body, logged, calls }
}

describe('a forged header', () => {
  it.each(Object.entries(REQUESTS))('changes nothing of %s', async (_, request) => {
    const gateway = await startAccessGateway({
      file: twoAccounts,
      lemlist: { ...TWO_TEAMS, rateLimit: UNLIMITED },
      env: { ...FAST, HOST: '0.0.0.0', FILE_URLS: 'gateway', PUBLIC_URL: 'https://gateway.test' },
    })
    // The first one fills the cache.
    await outcome(gateway, request)
    const honest = await outcome(gateway, request)
    for (const forged of FORGED) {
      expect(await outcome(gateway, request, forged), forged.join()).toEqual(honest)
    }
    expect(JSON.stringify(honest)).not.toMatch(/evil\.test|10\.0\.0/)
  })

  it('gives a caller no other limit', async () => {
    const gateway = await startAccessGateway({
      file: twoAccounts,
      lemlist: TWO_TEAMS,
      env: { CALLER_RATE_LIMIT: '3' },
    })
    const read = (address: string) =>
      ask(
        gateway.url,
        rawRequest(statusPath(SALES), {
          headers: [
            ...['Host: 127.0.0.1', bearer(KEYS.crm), `X-Forwarded-For: ${address}`],
            ...[`Forwarded: for=${address}`, `X-Real-IP: ${address}`],
          ],
        }),
      )
    for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) {
      expect((await read(address)).status).toBe(200)
    }
    expectProblem(await read('10.0.0.4'), 'rate-limited')
  })
})
