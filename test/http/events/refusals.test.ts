import { describe, expect, it } from 'vitest'
import { eventsPath, sharedGateway, statusPath } from '../../helpers/gateway.ts'
import { FAST } from '../../helpers/pace.ts'
import { expectProblem } from '../../helpers/problem.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { named, startWatching } from '../../helpers/watching.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

const gateway = sharedGateway({ env: FAST })
const request = (target: string, accept = 'text/event-stream', method = 'GET') =>
  ask(
    gateway().url,
    rawRequest(target, { method, headers: ['Host: 127.0.0.1', `Accept: ${accept}`] }),
  )

const TWO = 'export=cam_A/axp_A&export=cam_B/axp_B'
const repeated = (count: number) =>
  Array.from({ length: count }, (_, index) => `export=cam_A/axp_${index}`).join('&')

describe('refused without a stream and without a call to lemlist:', () => {
  it.each([
    ['/campaigns/nope/export/axp_A/events', 'invalid-id'],
    ['/campaigns/cam_A/export/AXP_A/events', 'invalid-id'],
    [`/campaigns/cam_A/export/axp_${'A'.repeat(65)}/events`, 'invalid-id'],
    ['/campaigns/..%2f..%2fteam/export/axp_A/events', 'invalid-id'],
    ['/campaigns/cam_A/export/axp_A%0d%0aX:1/events', 'invalid-id'],
    ['/events', 'invalid-request'],
    ['/events?', 'invalid-request'],
    ['/events?export=', 'invalid-request'],
    ['/events?export=cam_A', 'invalid-request'],
    ['/events?export=cam_A/', 'invalid-request'],
    ['/events?export=cam_A/axp_A/axp_B', 'invalid-request'],
    ['/events?export=axp_A/cam_A', 'invalid-request'],
    ['/events?export=cam_A/axp_A&export=cam_A/..', 'invalid-request'],
    ['/events?export=cam_A/axp_A%0aid:%201', 'invalid-request'],
    [`/events?${repeated(101)}`, 'invalid-request'],
    [`/events?${TWO}&x=${'y'.repeat(8_192)}`, 'uri-too-long'],
    [`${eventsPath(REF)}?ticket=${'y'.repeat(8_192)}`, 'uri-too-long'],
    [`${statusPath(REF)}?x=${'y'.repeat(2_048)}`, 'uri-too-long'],
  ])('%s', async (target, code) => {
    const { lemlist } = gateway()
    lemlist.clearCalls()
    expectProblem(await request(target), code)
    expect(lemlist.calls).toEqual([])
  })

  // Regression: the stream of a campaign refused a ticket of more than 2 KiB.
  it.each([eventsPath(REF), '/campaigns/cam_A/events', '/events'])(
    'a ticket of 4 KiB on %s because it is no ticket, not because it is long',
    async (path) => {
      const { status } = await request(`${path}?ticket=${'y'.repeat(4_096)}`)
      expect(status).toBeGreaterThan(399)
      expect(status).not.toBe(414)
    },
  )

  // Regression: it was told "Invalid input", and neither the form nor the limit.
  it('101 exports, with the number that there may be', async () => {
    const answer = await request(`/events?${repeated(101)}`)
    expect(JSON.parse(answer.body).errors).toEqual([
      { path: '/export', message: 'must be campaignId/exportId, and come 1 to 100 times' },
    ])
  })

  it.each([
    'application/json',
    'text/html',
    'text/event-streams',
    'text/event-stream;q=0',
    'text/plain, image/*',
  ])('a client that accepts %j only', async (accept) => {
    const { lemlist } = gateway()
    lemlist.clearCalls()
    expectProblem(await request(eventsPath(REF), accept), 'not-acceptable')
    expectProblem(await request(`/events?${TWO}`, accept), 'not-acceptable')
    expect(lemlist.calls).toEqual([])
  })

  it.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s', async (method) => {
    for (const target of [eventsPath(REF), `/events?${TWO}`]) {
      const answer = await request(target, '*/*', method)
      expectProblem(answer, 'method-not-allowed')
      expect(answer.headers.get('allow')).toBe('GET')
    }
  })

  it('HEAD, which would hang', async () => {
    for (const target of [eventsPath(REF), `/events?${TWO}`]) {
      const answer = await request(target, '*/*', 'HEAD')
      expect([answer.status, answer.headers.get('allow'), answer.body]).toEqual([405, 'GET', ''])
    }
  })
})

describe('refused by a status when a client connects:', () => {
  const notFound = { status: 404, body: '{"ok":false,"message":"not found"}' }
  const badTeam = { status: 400, body: 'Bad team', headers: { 'Content-Type': 'text/plain' } }

  it.each([
    [notFound, 'export-not-found'],
    [badTeam, 'campaign-not-found'],
  ])('%o', async (answer, code) => {
    const { url, lemlist } = await startWatching()
    lemlist.script({}, answer)
    const target = rawRequest(eventsPath(REF))
    expectProblem(await ask(url, target), code)
    expect(lemlist.calls).toHaveLength(1)
  })

  it('an export that timed out, with at most one call to lemlist in a minute', async () => {
    const { url, open, say, deny, lemlist } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(named('status'))
    deny()
    await stream.ended
    lemlist.clearCalls()
    for (let connects = 0; connects < 3; connects += 1) {
      expectProblem(await ask(url, rawRequest(eventsPath(REF))), 'export-timed-out')
    }
    expect(lemlist.calls).toHaveLength(1)
  })

  it('an export that is expired, without a call to lemlist', async () => {
    const { url, say, lemlist } = await startWatching({ FILE_TTL_MS: '1500' })
    say(doneBody())
    await fetch(url + statusPath(REF))
    lemlist.clearCalls()
    const answer = async () => ask(url, rawRequest(eventsPath(REF)))
    let last = await answer()
    while (last.status === 200) last = await answer()
    expectProblem(last, 'export-expired')
    expect(lemlist.calls).toEqual([])
  })

  it('an export that has expired while another stream tells of it as done', async () => {
    // Regression: whoever came while that stream was open got a 200 and the link of a deleted file.
    const { url, open, say } = await startWatching({ FILE_TTL_MS: '3000' })
    const other = { campaignId: REF.campaignId, exportId: 'axp_Other' }
    say(doneBody({ endedAt: new Date().toISOString() }))
    say(pendingBody({}, other), other)
    await fetch(url + statusPath(REF))
    const query = [REF, other].map(({ campaignId, exportId }) => `${campaignId}/${exportId}`)
    const many = open(`/events?export=${query.join('&export=')}`)
    await many.waitFor(({ data }) => data.includes(REF.exportId) && data.includes('"done"'))
    const read = async () => (await fetch(url + statusPath(REF))).status
    await expect.poll(read, { interval: 20, timeout: 10_000 }).toBe(410)
    expectProblem(await ask(url, rawRequest(eventsPath(REF))), 'export-expired')
    const later = open(`/events?export=${query.join('&export=')}`)
    expect(JSON.parse((await later.waitFor(named('gone'))).data)).toMatchObject({
      ...{ code: 'export-expired', exportId: REF.exportId },
    })
    expect(many.events.filter(({ event }) => event === 'gone')).toEqual([])
  })

  it('an unknown export that is already told as gone on a many-exports stream', async () => {
    // Regression: a client that came while that stream was open got a 200 and the old end.
    const { url, open, say, deny } = await startWatching()
    const unknown = { campaignId: REF.campaignId, exportId: 'axp_Unknown' }
    say(pendingBody())
    deny(unknown)
    const names = [REF, unknown].map(
      ({ campaignId, exportId }) => `export=${campaignId}/${exportId}`,
    )
    const many = open(`/events?${names.join('&')}`)
    await many.waitFor(named('gone'))
    expectProblem(await ask(url, rawRequest(eventsPath(unknown))), 'export-not-found')
    say(pendingBody({}, unknown), unknown)
    const one = open(eventsPath(unknown))
    expect((await one.waitFor(named('status'))).data).toBe(pendingBody({}, unknown))
    await many.waitFor(({ event, data }) => event === 'status' && data.includes('axp_Unknown'))
  })
})

// Regression: an `Accept` without a value, which some clients and proxies send, was a 406.
it.each(['', ' ', ',', ' , ,'])('a client that sends %j as Accept is served', async (accept) => {
  gateway().lemlist.script({ exportId: REF.exportId, times: 1 }, { body: doneBody() })
  const many = `/events?export=${REF.campaignId}/${REF.exportId}`
  for (const target of [eventsPath(REF), many]) {
    const { status, body } = await request(target, accept)
    expect([status, body]).toEqual([200, expect.stringContaining('event: end')])
  }
})
