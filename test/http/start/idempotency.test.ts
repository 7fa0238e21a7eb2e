import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../../src/sandbox/lemlist.ts'
import { expectProblem } from '../../helpers/faults.ts'
import { KEY } from '../../helpers/gateway.ts'
import {
  CAMPAIGN,
  isStart,
  start,
  startedIn,
  startGatewayWithCampaign,
} from '../../helpers/starts.ts'

/** `Idempotency-Key`: the gateway answers a repeated start and does not start again. */

const key = '8e03978e-40d5-43e8-bc93-6894a57f9324'

/** The URL of a Redis at a port where nobody listens. */
const nowhere = async (): Promise<string> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `redis://127.0.0.1:${address.port}`
}

describe('a start with the same Idempotency-Key', () => {
  it('gets the first answer again, byte for byte', async () => {
    const gateway = await startGatewayWithCampaign()
    const first = await start(gateway, { key })
    const second = await start(gateway, { key })
    expect([second.status, second.text]).toEqual([201, first.text])
    for (const name of ['location', 'link', 'content-type', 'cache-control']) {
      expect(second.headers.get(name)).toBe(first.headers.get(name))
    }
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it('is refused as in progress, with a Retry-After, while the first is under way', async () => {
    const gateway = await startGatewayWithCampaign()
    const gate = Promise.withResolvers<void>()
    gateway.lemlist.script({ operation: 'start' }, { gate: gate.promise })
    const first = start(gateway, { key })
    await gateway.lemlist.waitForCalls(1, isStart)
    const second = await start(gateway, { key })
    expectProblem(second, 'idempotency-in-progress')
    expect(second.headers.get('retry-after')).toBe('1')
    gate.resolve()
    const { text } = await first
    expect((await start(gateway, { key })).text).toBe(text)
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it('twenty times at once is one start', async () => {
    const gateway = await startGatewayWithCampaign()
    const answers = await Promise.all(Array.from({ length: 20 }, () => start(gateway, { key })))
    const made = answers.filter(({ status }) => status === 201)
    expect(new Set(made.map((answer) => startedIn(answer).exportId)).size).toBe(1)
    for (const answer of answers) {
      if (answer.status !== 201) expectProblem(answer, 'idempotency-in-progress')
    }
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it('for another campaign is another start', async () => {
    const gateway = await startGatewayWithCampaign()
    const campaignId = 'cam_Startable0000002'
    gateway.lemlist.addCampaign(campaignId)
    const first = startedIn(await start(gateway, { key }))
    const second = startedIn(await start(gateway, { key, campaignId }))
    expect(second.exportId).not.toBe(first.exportId)
    expect(second.campaignId).toBe(campaignId)
  })
})

describe('after a start that failed, the same Idempotency-Key', () => {
  it.each([
    ['a 429', { status: 429, headers: {}, body: '' }],
    ['a key that lemlist refuses', { status: 401, headers: {}, body: '' }],
    ['a campaign that is not there', { status: 404, headers: {}, body: 'Campaign not found' }],
  ])('is free, since %s began nothing', async (_, answer) => {
    const gateway = await startGatewayWithCampaign()
    gateway.lemlist.script({ operation: 'start', times: 1 }, answer)
    expect((await start(gateway, { key })).status).not.toBe(201)
    expect((await start(gateway, { key })).status).toBe(201)
  })

  it('is free, since the start never reached lemlist', async () => {
    const lemlist = createLemlist({ apiKeys: [KEY] })
    lemlist.addCampaign(CAMPAIGN)
    const url = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const gateway = await startGatewayWithCampaign({ LEMLIST_BASE_URL: url })
    await lemlist.close()
    expectProblem(await start(gateway, { key }), 'upstream-unavailable')
    await lemlist.listen(Number(new URL(url).port))
    expect((await start(gateway, { key })).status).toBe(201)
  })

  it.each([
    ['a 503', { status: 503, headers: {}, body: '' }],
    ['a reset', { reset: 'before-headers' }],
    ['half an answer', { truncateAt: 30 }],
    ['an answer that cannot be used', { body: '{}' }],
    ['silence', { hang: true }],
  ] as const)(
    'stays taken, since after %s nobody knows whether an export began',
    async (_, answer) => {
      const gateway = await startGatewayWithCampaign({ LEMLIST_TIMEOUT_MS: '300' })
      gateway.lemlist.script({ operation: 'start', times: 1 }, answer)
      const failed = await start(gateway, { key })
      expect(failed.status).toBeGreaterThan(500)
      // With a key a repeat is safe, so the answer does not warn of it.
      expect(JSON.parse(failed.text)).toMatchObject({ retryable: true })
      const again = await start(gateway, { key })
      expectProblem(again, 'start-outcome-unknown')
      expect(again.headers.get('retry-after')).toBeNull()
      expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
      expect((await start(gateway, { key: 'a-new-one' })).status).toBe(201)
    },
  )
})

describe('an Idempotency-Key', () => {
  it.each([
    ['is empty', ''],
    ['has a blank', 'two words'],
    ['is too long', 'x'.repeat(256)],
    ['is no ASCII', 'caf\u00e9'],
    ['is empty between its quotes', '""'],
    ['is too long between its quotes', `"${'x'.repeat(256)}"`],
  ])('that %s is malformed, and nothing is started', async (_, bad) => {
    const { url, lemlist } = await startGatewayWithCampaign()
    const answer = await start({ url }, { key: bad })
    expect([answer.status, JSON.parse(answer.text).code]).toEqual([400, 'invalid-request'])
    expect(JSON.parse(answer.text).errors).toMatchObject([{ path: '/idempotency-key' }])
    if (bad !== '') expect(answer.text).not.toContain(bad)
    expect(lemlist.calls).toEqual([])
  })

  it.each(['x', 'x'.repeat(255), '"8e03978e-40d5-43e8"', '!~{}'])('may be %s', async (good) => {
    const gateway = await startGatewayWithCampaign()
    const { text } = await start(gateway, { key: good })
    expect((await start(gateway, { key: good })).text).toBe(text)
  })

  // A client that sent `k1` and one that sent `"k1"` started two exports.
  it.each([
    ['k1', '"k1"'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ['x'.repeat(255), `"${'x'.repeat(255)}"`],
  ])('is the same with and without quotes: %s, %s', async (bare, quoted) => {
    const gateway = await startGatewayWithCampaign()
    const { text, status } = await start(gateway, { key: bare })
    expect(status).toBe(201)
    expect(await start(gateway, { key: quoted })).toMatchObject({ status: 201, text })
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it.each([['"'], ['"k'], ['k"'], ['k"k']])('keeps a quote that is no pair: %s', async (odd) => {
    const gateway = await startGatewayWithCampaign()
    const { text } = await start(gateway, { key: odd })
    expect((await start(gateway, { key: 'k' })).text).not.toBe(text)
    expect((await start(gateway, { key: odd })).text).toBe(text)
  })

  it('is in no log and in no answer', async () => {
    const gateway = await startGatewayWithCampaign()
    const answer = await start(gateway, { key })
    expect(JSON.stringify([...answer.headers]) + answer.text).not.toContain(key)
    await expect.poll(gateway.logs).toContain('export/start')
    expect(gateway.logs()).not.toContain(key)
  })
})

describe('while the store is away', () => {
  it('a start with a key is refused, and lemlist is not called', async () => {
    const gateway = await startGatewayWithCampaign({ STORE_URL: await nowhere() })
    const answer = await start(gateway, { key })
    expectProblem(answer, 'store-unavailable')
    expect(answer.headers.get('retry-after')).toBe('5')
    expect(gateway.lemlist.calls).toEqual([])
  })

  it('a start without a key is made', async () => {
    const gateway = await startGatewayWithCampaign({ STORE_URL: await nowhere() })
    expect((await start(gateway)).status).toBe(201)
  })
})
