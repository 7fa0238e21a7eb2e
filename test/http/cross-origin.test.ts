import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  APP,
  corsOf,
  DEV,
  expectReadable,
  expectUnreadable,
  OPEN_TO_PAGES,
  requestOf,
  STRANGER,
} from '../helpers/cross-origin.ts'
import { openEvents } from '../helpers/event-connection.ts'
import {
  ANSWERS,
  DONE,
  type Exchange,
  LONG,
  PENDING,
  PROBLEMS,
  STATUS,
} from '../helpers/every-answer.ts'
import { BOUNDLESS } from '../helpers/faults.ts'
import { eventsPath, sharedGateway } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { expectProblem } from '../helpers/problem.ts'
import { CAMPAIGN, startPath } from '../helpers/starts.ts'
import { ask } from '../helpers/wire.ts'

/** Every kind of answer, on the wire. `test/browser/cross-origin.test.ts` has the real pages. */

const gatewayWithExports = (env: Readonly<Record<string, string>>) => {
  const gateway = sharedGateway({
    env: { ...BOUNDLESS, DOCS: 'true', ...env },
    lemlist: { rateLimit: UNLIMITED, started: { durationMs: 3_600_000 } },
  })
  beforeAll(() => {
    const { lemlist } = gateway()
    lemlist.addCampaign(CAMPAIGN)
    lemlist.add({ ...DONE, durationMs: 0, fileBytes: 626 })
    lemlist.add({ ...PENDING, outcome: 'never' })
  })
  return gateway
}

describe('with CORS_ORIGINS', () => {
  const gateway = gatewayWithExports(OPEN_TO_PAGES)
  const get = async (origin: string | undefined, { status, target, ...init }: Exchange) => {
    // A stranger may not start exports, so his start has another status.
    const answer = await ask(gateway().url, requestOf(origin, target, init))
    if (origin !== STRANGER) expect(answer.status).toBe(status)
    return answer.headers
  }

  describe.each([
    ['a page may read', ANSWERS],
    ['a page may read why it did not get', PROBLEMS],
  ])('%s', (_, exchanges) => {
    it.each(exchanges)('$name', async (exchange) => {
      expectReadable(await get(APP, exchange), APP)
      expectReadable(await get(DEV, exchange), DEV)
    })
  })

  it.each([...ANSWERS, ...PROBLEMS])('a stranger and a program may not read $name', async (one) => {
    expectUnreadable(await get(STRANGER, one))
    expectUnreadable(await get(undefined, one))
  })

  it.each([
    ['null', 'null'],
    ['a star', '*'],
    ['nothing', ''],
    ['a slash at the end', `${APP}/`],
    ['another scheme', 'http://app.example.com'],
    ['another port', `${APP}:8443`],
    ['the default port', `${APP}:443`],
    ['a name below', 'https://x.app.example.com'],
    ['a longer name', `${APP}.evil.example`],
    ['a name that ends alike', 'https://evilapp.example.com'],
    ['capitals, which no browser sends', 'https://APP.example.com'],
    ['both in one', `${APP},${DEV}`],
    ['both with a blank', `${APP} ${DEV}`],
    ['a path', `${APP}/page`],
    ['a user', 'https://x@app.example.com'],
  ])('an origin in the list is compared exactly: %s is none', async (_, origin) => {
    expectUnreadable(await get(origin, { name: '', status: 200, target: '/health/live' }))
  })

  it('two Origin headers name no origin', async () => {
    const twice = [`Origin: ${DEV}`]
    for (const headers of [twice, [...twice, LONG]]) {
      expectUnreadable((await ask(gateway().url, requestOf(APP, STATUS, { headers }))).headers)
    }
  })

  // Regression: the line of the last header was cut off before its end.
  it('a broken request is refused readably when Origin is its last header', async () => {
    const bytes = `${requestOf(undefined, STATUS, { headers: ['X : y'] }).trimEnd()}\r\nOrigin: ${APP}\r\n\r\n`
    const answer = await ask(gateway().url, bytes)
    expectProblem(answer, 'invalid-request')
    expectReadable(answer.headers, APP)
  })

  it('a sender that stops in the middle of its body is told so readably', async () => {
    const bytes = requestOf(APP, startPath(), { method: 'POST', headers: ['Content-Length: 9'] })
    const answer = await ask(gateway().url, `${bytes}{`)
    expectProblem(answer, 'request-timeout')
    expectReadable(answer.headers, APP)
  })

  it('an origin in the body of a request, or behind its headers, counts for nothing', async () => {
    const broken = `${requestOf(undefined, STATUS, { headers: ['X-A: \0'] })}\r\nOrigin: ${APP}\r\n`
    expectUnreadable((await ask(gateway().url, broken)).headers)
  })

  it('a listed page may start exports, and no other foreign page', async () => {
    const { url, lemlist } = gateway()
    const start = (origin: string) =>
      ask(
        url,
        requestOf(origin, startPath(), { method: 'POST', headers: ['Sec-Fetch-Site: cross-site'] }),
      )
    const before = lemlist.calls.length
    const refused = await start(STRANGER)
    expect([refused.status, lemlist.calls.length]).toEqual([403, before])
    expectUnreadable(refused.headers)
    const started = await start(APP)
    expect([started.status, lemlist.calls.length]).toEqual([201, before + 1])
    expectReadable(started.headers, APP)
  })
})

describe('with CORS_ORIGINS and room for one stream', () => {
  const gateway = gatewayWithExports({ ...OPEN_TO_PAGES, SSE_MAX_STREAMS: '1' })

  it('a page may read that there is no room for its stream', async () => {
    const first = openEvents(gateway().url + eventsPath(PENDING))
    onTestFinished(() => void first.socket.destroy())
    await first.waitFor(({ event }) => event === 'status')
    const answer = await ask(gateway().url, requestOf(APP, eventsPath(PENDING)))
    expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('"overloaded"')])
    expectReadable(answer.headers, APP)
  })
})

describe('without CORS_ORIGINS', () => {
  const gateway = gatewayWithExports({})

  it.each([...ANSWERS, ...PROBLEMS])('nothing is said about origins: $name', async (exchange) => {
    const { target, ...init } = exchange
    for (const origin of [undefined, APP]) {
      const { headers } = await ask(gateway().url, requestOf(origin, target, init))
      expect(corsOf(headers)).toEqual({})
      expect(headers.get('vary') ?? '').not.toMatch(/origin/i)
    }
  })
})
