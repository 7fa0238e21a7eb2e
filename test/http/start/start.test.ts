import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { START_EXAMPLE } from '../../helpers/documented-answers.ts'
import { isState, openEvents } from '../../helpers/event-connection.ts'
import { expectProblem } from '../../helpers/faults.ts'
import { eventsPath, KEY, statusPath } from '../../helpers/gateway.ts'
import { FAST } from '../../helpers/pace.ts'
import { expectProblem as expectWireProblem } from '../../helpers/problem.ts'
import {
  isStart,
  isStatus,
  start,
  startedIn,
  startGatewayWithCampaign,
  startPath,
} from '../../helpers/starts.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

describe('a start', () => {
  it('answers 201 with the bytes of lemlist and the links to the status and the events', async () => {
    const gateway = await startGatewayWithCampaign()
    const campaignId = 'cam_v8cz524NPmtnidwkq'
    gateway.lemlist.script({ operation: 'start' }, { body: START_EXAMPLE })
    const { status, headers, text } = await start(gateway, { campaignId })
    expect([status, text]).toEqual([201, START_EXAMPLE])
    expect(Object.fromEntries(headers)).toMatchObject({
      location: 'axp_EvgfS8MuubZWbKsbM/status',
      link: '<axp_EvgfS8MuubZWbKsbM/events>; rel="monitor"; type="text/event-stream"',
      'content-type': 'application/json',
      'content-length': String(START_EXAMPLE.length),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': expect.stringMatching(/^[\w-]{36}$/),
    })
    expect(gateway.lemlist.calls).toMatchObject([
      {
        method: 'GET',
        path: `/api${startPath(campaignId)}`,
        authorization: `Basic ${Buffer.from(`:${KEY}`).toString('base64')}`,
      },
    ])
  })

  it('passes on what lemlist has not documented, byte for byte', async () => {
    const gateway = await startGatewayWithCampaign()
    const body = `\t{ "new" : 12345678901234567890, "name":"\\u00e9 é \u2028", "_id": "axp_Odd1","progress":1.0e0}\n`
    gateway.lemlist.script({ operation: 'start' }, { body })
    expect((await start(gateway)).text).toBe(body)
  })

  it.each(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH'])(
    'by %s is refused with 405, and lemlist is not called',
    async (method) => {
      const { url, lemlist } = await startGatewayWithCampaign()
      const answer = await fetch(url + startPath(), { method })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
      expect(await answer.text()).toContain(method === 'HEAD' ? '' : '"method-not-allowed"')
      expect(lemlist.calls).toEqual([])
    },
  )

  it('without a key is a new export every time', async () => {
    const gateway = await startGatewayWithCampaign()
    const first = startedIn(await start(gateway))
    const second = startedIn(await start(gateway))
    expect(second.exportId).not.toBe(first.exportId)
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(2)
  })

  it('at the same time as another is a call of its own', async () => {
    const gateway = await startGatewayWithCampaign()
    const gate = Promise.withResolvers<void>()
    gateway.lemlist.script({ operation: 'start' }, { gate: gate.promise })
    const both = [start(gateway), start(gateway)]
    await gateway.lemlist.waitForCalls(2, isStart)
    gate.resolve()
    const ids = (await Promise.all(both)).map((answer) => startedIn(answer).exportId)
    expect(new Set(ids).size).toBe(2)
    expect(gateway.lemlist.calls.filter(isStart)).toHaveLength(2)
  })
})

describe('a started export', () => {
  it('is followed to its end even when nobody is connected', async () => {
    const gateway = await startGatewayWithCampaign(FAST)
    const { lemlist } = gateway
    const ref = startedIn(await start(gateway))
    await lemlist.waitForCalls(1, isStatus)
    lemlist.finish(ref.exportId)
    lemlist.clearCalls()
    await lemlist.waitForCalls(1, isStatus)
    // From now on lemlist would say that it knows no such export.
    lemlist.forget(ref.exportId)
    const answer = await fetch(gateway.url + statusPath(ref))
    expect(await answer.text()).toContain('"status":"done"')
  })

  it('is followed even when its caller hung up before the answer', async () => {
    const { url, lemlist } = await startGatewayWithCampaign(FAST)
    const gate = Promise.withResolvers<void>()
    lemlist.script({ operation: 'start' }, { gate: gate.promise })
    const call = request(url + startPath(), { method: 'POST' })
    call.on('error', () => {})
    call.end()
    await lemlist.waitForCalls(1, isStart)
    call.destroy()
    gate.resolve()
    await lemlist.waitForCalls(2, isStatus)
    expect(lemlist.calls.filter(isStart)).toHaveLength(1)
  })

  it('that lemlist does not know yet is looked at again and again', async () => {
    const gateway = await startGatewayWithCampaign(FAST)
    const { url, lemlist } = gateway
    const body = '{"ok":false,"message":"Export with id not found"}'
    lemlist.script({ operation: 'status', times: 6 }, { status: 404, body })
    const ref = startedIn(await start(gateway))
    const read = await fetch(url + statusPath(ref))
    const answer = { status: read.status, headers: read.headers, text: await read.text() }
    expectProblem(answer, 'export-not-found')
    const stream = openEvents(url + eventsPath(ref))
    await stream.waitFor(isState('pending'))
    expect(stream.events.map(({ event }) => event)).toEqual(['status'])
    expect(lemlist.calls.filter(isStatus).length).toBeGreaterThan(6)
    stream.socket.destroy()
  })
})

describe('a request that starts nothing', () => {
  it.each([
    'cam_',
    'cam_A-B',
    'axp_A',
    `cam_${'a'.repeat(65)}`,
    'cam_%2e%2e',
    'cam_a%2Fb',
    '%2e%2e',
    'cam_A%00',
  ])('has the campaign id %s: invalid-id', async (campaignId) => {
    const gateway = await startGatewayWithCampaign()
    // The request is sent as bytes, because a client library would change some of these paths.
    const bytes = rawRequest(startPath(campaignId), { method: 'POST' })
    expectWireProblem(await ask(gateway.url, bytes), 'invalid-id')
    expect(gateway.lemlist.calls).toEqual([])
  })
})
