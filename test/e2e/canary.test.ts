import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist, type Lemlist } from '../../src/sandbox/lemlist.ts'
import type { ScriptedAnswer } from '../../src/sandbox/scripted-answers.ts'
import { filesIn, leaksIn, type Seen } from '../helpers/canaries.ts'
import { statusPath } from '../helpers/gateway.ts'
import { type GatewayProcess, spawnGateway, tempDirectory } from '../helpers/process.ts'
import { doneBody, pendingBody, REF, statusBody } from '../helpers/status-bodies.ts'

/** A key whose base64 has `+` and `/` in it. */
const KEY = 'canary-Key~7f3a9b1e?5d>0c4f8e2b6a9d'
const BASIC = `Basic ${Buffer.from(`:${KEY}`).toString('base64')}`

const ECHOES = [KEY, BASIC, Buffer.from(KEY).toString('hex')].join(' ')
const text = (status: number): ScriptedAnswer => ({
  status,
  headers: { 'Content-Type': 'text/plain', 'X-Key': KEY, 'Retry-After': '0' },
  body: ECHOES,
})
/** Everything that can be wrong with lemlist, and lemlist itself tells the key to whoever listens. */
const FAULTS: ScriptedAnswer[] = [
  ...[301, 400, 401, 403, 404, 405, 500, 502].map(text),
  { status: 302, headers: { Location: `https://evil.example/${KEY}` } },
  { headers: { 'Content-Type': 'text/html', 'Set-Cookie': KEY }, body: `<p>${ECHOES}</p>` },
  { body: `{"ok":true,"status":{"id":"${KEY}","status":"done"}}` },
  { body: `{ ${ECHOES} }` },
  { body: statusBody('pending').replace('"pending"', 'null') },
  { raw: `${ECHOES}\r\n\r\n` },
  { raw: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${KEY}\r\n` },
  { raw: `HTTP/1.1 200 OK\r\nX: ${ECHOES.repeat(200)}\r\n\r\n` },
  { raw: `HTTP/1.1 200 ${KEY}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n` },
  { body: pendingBody(), reset: 'before-headers' },
  { body: pendingBody(), reset: 'mid-body' },
  { hang: true },
  { body: pendingBody(), extra: ECHOES },
]

const rawExchange = (url: string, request: string) =>
  new Promise<string>((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.end(request))
    let answer = ''
    socket.on('data', (bytes) => {
      answer += bytes.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })

/** All kinds of requests, by callers who know nothing of the key. */
const visit = async ({ url }: GatewayProcess): Promise<Seen[]> => {
  const seen: Seen[] = []
  const paths = [
    statusPath(REF),
    statusPath({ campaignId: 'cam_Other', exportId: 'axp_Other' }),
    '/campaigns/no-id/export/no-id/status',
    '/campaigns/%2e%2e/export/x/status',
    '/health/live',
    '/health/ready',
    '/openapi.json',
    '/openapi.yaml',
    '/docs/',
    '/nowhere',
    '/.env',
    `/${'x'.repeat(3_000)}`,
  ]
  for (const path of paths) {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS']) {
      const response = await fetch(url + path, { method })
      seen.push({
        of: `headers of ${method} ${path}`,
        bytes: JSON.stringify([...response.headers]),
      })
      seen.push({ of: `body of ${method} ${path}`, bytes: await response.text() })
    }
  }
  for (const request of [
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    `GET /${'y'.repeat(20_000)}`,
  ]) {
    seen.push({ of: `answer to ${request.slice(0, 20)}`, bytes: await rawExchange(url, request) })
  }
  return seen
}

/** One read for each fault, each of an export of its own. */
const suffer = async ({ url }: GatewayProcess, lemlist: Lemlist): Promise<Seen[]> => {
  const seen: Seen[] = []
  for (const [number, fault] of FAULTS.entries()) {
    const ids = { campaignId: 'cam_Fault', exportId: `axp_Fault${number}` }
    lemlist.script({ exportId: ids.exportId }, fault)
    const response = await fetch(url + statusPath(ids))
    seen.push({ of: `headers of fault ${number}`, bytes: JSON.stringify([...response.headers]) })
    seen.push({ of: `body of fault ${number}`, bytes: await response.text() })
  }
  return seen
}

const startLemlist = async () => {
  const lemlist = createLemlist({
    apiKeys: [KEY],
    rateLimit: { calls: 1_000_000, windowMs: 2_000 },
  })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  return { lemlist, baseUrl }
}

const leaks = (seen: readonly Seen[]): string[] => leaksIn(seen, { KEY })

describe('the lemlist key', () => {
  it('is sent to lemlist, and is in no log, body, header, document or stored byte', async () => {
    const { lemlist, baseUrl } = await startLemlist()
    lemlist.script({ exportId: REF.exportId }, { body: doneBody() })
    const data = tempDirectory()
    const gateway = await spawnGateway({
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: baseUrl,
      LEMLIST_RATE_LIMIT: '1000000',
      LEMLIST_TIMEOUT_MS: '1000',
      STORE_URL: `sqlite:${join(data, 'gateway.sqlite')}`,
      LOG_LEVEL: 'trace',
    })
    const answers = [...(await visit(gateway)), ...(await suffer(gateway, lemlist))]
    const stored = filesIn(data)
    expect(await gateway.end('SIGTERM')).toBe(0)
    const output = { of: 'output', bytes: gateway.output() }

    expect(lemlist.calls.filter(({ authorization }) => authorization === BASIC).length).toBe(
      lemlist.calls.length,
    )
    expect(lemlist.calls.length).toBeGreaterThan(FAULTS.length)
    // There was something to look at: the answers, a line for each request, the kept answer.
    expect(answers.length).toBeGreaterThan(100)
    expect(output.bytes.match(/"msg":"request"/g)?.length).toBeGreaterThan(50)
    expect(stored.map(({ of }) => of)).toContain('file gateway.sqlite-wal')
    expect(stored.some(({ bytes }) => Buffer.from(bytes).includes(REF.exportId))).toBe(true)
    expect(leaks([...answers, output, ...stored, ...filesIn(data)])).toEqual([])
  })

  // A SIGHUP that reads the key again once stopped the gateway as well.
  it('from a file, read again and again, is in no log', async () => {
    const { lemlist, baseUrl } = await startLemlist()
    lemlist.script({}, { body: pendingBody() })
    const keyFile = join(tempDirectory(), 'key')
    writeFileSync(keyFile, `${KEY}\n`)
    const gateway = await spawnGateway({
      LEMLIST_API_KEY_FILE: keyFile,
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: 'memory:',
      LOG_LEVEL: 'trace',
    })
    const hangUp = (line: string) => {
      gateway.child.kill('SIGHUP')
      return expect.poll(gateway.output, { timeout: 10_000 }).toContain(line)
    }
    await hangUp('"action":"reload"')
    writeFileSync(keyFile, `${KEY} and a blank, so it is no key`)
    await hangUp('could not be read again')
    expect((await fetch(gateway.url + statusPath(REF))).status).toBe(200)
    await gateway.end('SIGTERM')
    expect(lemlist.calls.map(({ authorization }) => authorization)).toEqual([BASIC])
    expect(leaks([{ of: 'output', bytes: gateway.output() }])).toEqual([])
  })

  it('that is refused at the start is not printed', async () => {
    const started = spawnGateway({ LEMLIST_API_KEY: `${KEY} ${KEY}`, STORE_URL: 'memory:' })
    const message = await started.then(String, (error: Error) => error.message)
    expect(message).toContain('LEMLIST_API_KEY: must be')
    expect(leaks([{ of: 'output', bytes: message }])).toEqual([])
  })
})
