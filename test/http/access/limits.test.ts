import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type AccessGateway,
  bearer,
  SALES,
  send,
  startAccessGateway,
  TWO_TEAMS,
  ticketOf,
} from '../../helpers/access-gateway.ts'
import { entry, KEYS } from '../../helpers/callers.ts'
import { openEvents } from '../../helpers/event-connection.ts'
import { eventsPath, manyEventsPath, startGateway, statusPath } from '../../helpers/gateway.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { named } from '../../helpers/watching.ts'

const FILE = {
  callers: { crm: entry(KEYS.crm), bi: entry(KEYS.bi) },
}
const PENDING = { campaignId: SALES.campaignId, exportId: 'axp_Pending1' }

const start = (env: Readonly<Record<string, string>>) =>
  startAccessGateway({
    file: FILE,
    env,
    lemlist: { exports: [...(TWO_TEAMS.exports ?? []), { ...PENDING, durationMs: 3_600_000 }] },
  })

const read = (gateway: AccessGateway, key: string) =>
  send(gateway, statusPath(SALES), { headers: [bearer(key)] })

const open = ({ url }: AccessGateway, key: string, path = eventsPath(PENDING)) => {
  const stream = openEvents(url + path, { headers: [bearer(key)] })
  onTestFinished(() => void stream.socket.destroy())
  return stream
}

describe('a caller over CALLER_RATE_LIMIT', () => {
  it('gets 429 with the seconds until the minute is over, and nobody else does', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '2' })
    for (let n = 0; n < 2; n += 1) expect((await read(gateway, KEYS.crm)).status).toBe(200)
    const refused = await read(gateway, KEYS.crm)
    expectProblem(refused, 'rate-limited')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60)
    expect([...refused.headers.keys()].filter((name) => name.startsWith('x-ratelimit'))).toEqual([])
    expect((await read(gateway, KEYS.bi)).status).toBe(200)
  })

  it('is told of it in the stream, since a status would end an EventSource for good', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '1' })
    await read(gateway, KEYS.crm)
    for (const path of [eventsPath(PENDING), manyEventsPath([PENDING])]) {
      const stream = open(gateway, KEYS.crm, path)
      const { data } = await stream.waitFor(named('problem'))
      expect(JSON.parse(data)).toMatchObject({ code: 'rate-limited', status: 429 })
      expect(stream.status()).toBe(200)
      expect(await stream.ended).toBe('abrupt')
      expect(stream.retryMs()).toBeGreaterThanOrEqual(10_000)
    }
  })

  it('is not helped by a ticket, which counts as its maker', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '2' })
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SALES.campaignId] })
    expect((await read(gateway, ticket)).status).toBe(200)
    expectProblem(await read(gateway, ticket), 'rate-limited')
    expectProblem(await read(gateway, KEYS.crm), 'rate-limited')
  })

  it('may ask for health, and 401 costs nobody anything', async () => {
    const gateway = await start({ CALLER_RATE_LIMIT: '1' })
    for (let n = 0; n < 5; n += 1) expectProblem(await read(gateway, KEYS.spare), 'unauthenticated')
    expect((await read(gateway, KEYS.crm)).status).toBe(200)
    for (let n = 0; n < 5; n += 1) {
      const { status } = await send(gateway, '/health/ready', { headers: [bearer(KEYS.crm)] })
      expect(status).toBe(200)
    }
  })

  it('does not exist with AUTH=none', async () => {
    const gateway = await startGateway({
      env: { CALLER_RATE_LIMIT: '1', SSE_MAX_STREAMS_PER_CALLER: '1' },
      lemlist: { exports: [{ ...SALES, durationMs: 0 }] },
    })
    for (let n = 0; n < 4; n += 1) {
      expect((await send(gateway, statusPath(SALES))).status).toBe(200)
    }
  })
})

describe('a caller with as many streams as SSE_MAX_STREAMS_PER_CALLER', () => {
  it('is told so in one more, and comes back late; other callers have theirs', async () => {
    const gateway = await start({ SSE_MAX_STREAMS_PER_CALLER: '2' })
    const first = open(gateway, KEYS.crm)
    await first.waitFor(named('status'))
    const ticket = await ticketOf(gateway, KEYS.crm, { campaigns: [SALES.campaignId] })
    await open(gateway, ticket).waitFor(named('status'))
    const third = open(gateway, KEYS.crm)
    const { data } = await third.waitFor(named('problem'))
    expect(JSON.parse(data)).toMatchObject({ code: 'rate-limited', ...PENDING })
    expect(await third.ended).toBe('abrupt')
    expect(third.retryMs()).toBeGreaterThanOrEqual(10_000)
    await open(gateway, KEYS.bi).waitFor(named('status'))
    first.socket.destroy()
    await expect.poll(() => gateway.logs()).toContain('"ending":"left"')
    await open(gateway, KEYS.crm).waitFor(named('status'))
  })

  it('does not exist with AUTH=none', async () => {
    const gateway = await startGateway({
      env: { SSE_MAX_STREAMS_PER_CALLER: '1' },
      lemlist: { exports: [{ ...PENDING, durationMs: 3_600_000 }] },
    })
    for (let n = 0; n < 3; n += 1) {
      const stream = openEvents(gateway.url + eventsPath(PENDING))
      onTestFinished(() => void stream.socket.destroy())
      await stream.waitFor(named('status'))
    }
  })
})
