import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from '../../src/access/keys.ts'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { everythingIn, filesIn, leaksIn, type Seen } from '../helpers/canaries.ts'
import { startConnectProxy } from '../helpers/connect-proxy.ts'
import { misplaced, waysToShow } from '../helpers/credential-places.ts'
import { filePath } from '../helpers/downloads.ts'
import { eventsPath, logLines, manyEventsPath, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { type GatewayProcess, spawnGateway, tempDirectory } from '../helpers/process.ts'
import { createSigningKey, startProvider } from '../helpers/provider.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { CAMPAIGN, startPath } from '../helpers/starts.ts'
import { exchange, rawRequest } from '../helpers/wire.ts'

/** Every secret that a gateway with callers has or is shown. Some need escapes in URLs and in JSON. */
const unlikely = () => randomBytes(18).toString('base64')
const LEMLIST_KEY = `canary-lemlist~${unlikely()}`
const CALLER_KEY = `leg_${randomBytes(32).toString('base64url')}`
const PROXY_PASSWORD = `canary/proxy?"${unlikely()}`
const REDIS_PASSWORD = `canary/redis@${unlikely()}`
const TICKET_SECRET = `canary"ticket\\secret~${unlikely()}${unlikely()}`

const DONE = { campaignId: CAMPAIGN, exportId: 'axp_Done00000000001' }
const ISSUER = 'https://login.example.com/'

const start = async (storeUrl: string) => {
  const lemlist = createLemlist({ apiKeys: [LEMLIST_KEY], rateLimit: UNLIMITED })
  onTestFinished(() => lemlist.close())
  const baseUrl = await lemlist.listen()
  lemlist.addCampaign(CAMPAIGN)
  lemlist.add({ ...DONE, durationMs: 0, fileBytes: 626 })
  const proxy = await startConnectProxy({ credentials: `user:${PROXY_PASSWORD}` })
  const [provider, signer] = [await startProvider(), await createSigningKey('canary')]
  provider.show(signer)
  const accessFile = join(tempDirectory(), 'access.json')
  const caller = { keys: [digestOf(CALLER_KEY)], accounts: ['sales'] }
  const file = { accounts: { sales: { apiKey: LEMLIST_KEY } }, callers: { crm: caller } }
  writeFileSync(accessFile, JSON.stringify(file))
  const gateway = await spawnGateway({
    ...{ AUTH: 'keys,jwt', ACCESS_FILE: accessFile, TICKET_SECRET, LOG_LEVEL: 'trace' },
    ...{ JWT_JWKS_URL: provider.url.href, JWT_ISSUER: ISSUER, JWT_AUDIENCE: 'exports' },
    ...{ LEMLIST_BASE_URL: baseUrl, LEMLIST_RATE_LIMIT: '1000000', STORE_URL: storeUrl },
    HTTP_PROXY: `http://user:${encodeURIComponent(PROXY_PASSWORD)}@${new URL(proxy.url).host}`,
    CORS_ORIGINS: 'https://app.example.com',
  })
  const now = Math.floor(Date.now() / 1_000)
  const claims = { iss: ISSUER, aud: 'exports', sub: 'dashboard', exp: now + 600, iat: now }
  return { gateway, lemlist, proxy, accessFile, file, jwt: await signer.sign(claims) }
}

const makeTicket = async ({ url }: GatewayProcess): Promise<string> => {
  const response = await fetch(`${url}/tickets`, {
    method: 'POST',
    headers: { 'X-Api-Key': CALLER_KEY, 'Content-Type': 'application/json' },
    body: JSON.stringify({ campaigns: [CAMPAIGN], ttl: 600 }),
  })
  expect(response.status).toBe(201)
  const { ticket }: { ticket: string } = JSON.parse(await response.text())
  return ticket
}

/** Every field that a log line may have. Look at the values of a new one before you name it here. */
const FIELDS = [
  ...['level', 'time', 'msg', 'requestId', 'method', 'route', 'status', 'durationMs', 'aborted'],
  ...['caller', 'account', 'proof', 'cache', 'problem', 'cause', 'ending', 'err', 'result'],
  ...['action', 'campaign', 'export', 'exports', 'campaigns', 'scopes', 'expiresAt', 'changes'],
  ...['url', 'page', 'docs', 'proxy', 'signal', 'operation', 'kind', 'policy'],
]
const FIELDS_OF_ERRORS = ['name', 'code', 'message', 'stack', 'cause']

/** The fields of log lines that nobody has listed. */
const unlisted = (log: string): string[] =>
  logLines(log).flatMap(({ err, cause, ...line }) => [
    ...Object.keys(line).filter((field) => !FIELDS.includes(field)),
    ...Object.keys({ ...Object(err), ...Object(cause) }).filter(
      (field) => !FIELDS_OF_ERRORS.includes(field),
    ),
  ])

/** The requests of everybody who knows a secret, to every kind of route. */
const visit = async ({ url }: GatewayProcess, secrets: readonly string[]): Promise<Seen[]> => {
  const routes = [
    ['GET', statusPath(DONE)],
    ['GET', eventsPath(DONE)],
    ['GET', manyEventsPath([DONE])],
    ['GET', filePath(DONE)],
    ['POST', startPath()],
    ['POST', '/tickets'],
    ['GET', '/nowhere'],
    ['DELETE', statusPath(DONE)],
    ['OPTIONS', statusPath(DONE)],
    ['GET', '/openapi.json'],
    ['GET', '/openapi.yaml'],
    ['GET', '/health/ready'],
  ] as const
  const seen: Seen[] = []
  for (const secret of secrets) {
    for (const { headers, query } of waysToShow(secret)) {
      for (const [method, path] of routes) {
        const target = path.includes('?') ? path + query.replace('?', '&') : path + query
        const lines = ['Host: 127.0.0.1', 'Origin: https://app.example.com', ...headers]
        const bytes = await exchange(url, rawRequest(target, { method, headers: lines }))
        seen.push({ of: `answer to ${method} ${path}`, bytes })
      }
    }
    for (const request of misplaced(secret, CALLER_KEY)) {
      const of = `answer to ${request.slice(0, 20)}`
      seen.push({ of, bytes: await exchange(url, request) })
    }
  }
  return seen
}

describe('the secrets of a gateway with callers', () => {
  const reload = async ({ child, output }: GatewayProcess, line: string) => {
    const before = output().split(line).length
    child.kill('SIGHUP')
    await expect
      .poll(() => output().split(line).length, { timeout: 10_000 })
      .toBeGreaterThan(before)
  }

  const look = async (storeUrl: string, stored: () => Seen[] | Promise<Seen[]>) => {
    const { gateway, lemlist, proxy, accessFile, file, jwt } = await start(storeUrl)
    const ticket = await makeTicket(gateway)
    const secrets = { LEMLIST_KEY, CALLER_KEY, PROXY_PASSWORD, REDIS_PASSWORD, TICKET_SECRET }
    const shown = { ...secrets, jwt, ticket }
    const answers = await visit(gateway, [CALLER_KEY, jwt, ticket, LEMLIST_KEY])
    // A faulty file holds the same secrets, and the log says what is wrong with it.
    writeFileSync(accessFile, JSON.stringify({ ...file, [LEMLIST_KEY]: CALLER_KEY }))
    await reload(gateway, 'could not be read again')
    // The key in place of its digest.
    writeFileSync(accessFile, JSON.stringify(file).replace(digestOf(CALLER_KEY), CALLER_KEY))
    await reload(gateway, 'could not be read again')
    writeFileSync(accessFile, LEMLIST_KEY)
    await reload(gateway, 'could not be read again')
    writeFileSync(accessFile, `${readFileSync(accessFile, 'utf8')}${CALLER_KEY}`)
    await reload(gateway, 'could not be read again')
    const kept = await stored()
    expect(await gateway.end('SIGTERM')).toBe(0)

    // The secrets were used, and there was something to look at.
    expect([proxy.asked.length > 0, lemlist.calls.length > 0]).toEqual([true, true])
    const statuses = new Set(answers.map(({ bytes }) => String(bytes).slice(9, 12)))
    expect([...statuses]).toEqual(
      expect.arrayContaining(['200', '201', '400', '401', '404', '413', '414', '421', '431']),
    )
    const log = gateway.output()
    // A start or a download by each kind of credential.
    const proofs = new Set([...log.matchAll(/"proof":"(\w+)"/g)].map(([, proof]) => proof))
    expect([...proofs].toSorted()).toEqual(['jwt', 'key', 'ticket'])
    expect(kept.some(({ bytes }) => Buffer.from(bytes).includes(DONE.exportId))).toBe(true)
    const seen = [...answers, ...kept, { of: 'log', bytes: log }]
    expect(leaksIn(seen, shown)).toEqual([])
    expect(unlisted(log)).toEqual([])
  }

  it('are in no log at trace, answer or document, and not in SQLite', async () => {
    const data = tempDirectory()
    await look(`sqlite:${join(data, 'gateway.sqlite')}`, () => filesIn(data))
    expect(leaksIn(filesIn(data), { LEMLIST_KEY, CALLER_KEY, TICKET_SECRET })).toEqual([])
  })

  it.skipIf(withoutRedis)('are in no log, and in no key or value of Redis', async () => {
    const args = ['--requirepass', REDIS_PASSWORD, '--rdbcompression', 'no']
    const redis = await startRedis({ args })
    const url = `redis://:${encodeURIComponent(REDIS_PASSWORD)}@127.0.0.1:${redis.port}`
    await look(url, () => everythingIn(url))
  })
})
