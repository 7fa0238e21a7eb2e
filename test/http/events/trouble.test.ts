import { describe, expect, it } from 'vitest'
import { isState } from '../../helpers/event-connection.ts'
import { eventsPath, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'
import { fieldsOf, named, namesOf, startWatching } from '../../helpers/watching.ts'

const { campaignId, exportId } = REF

/**
 * Intervals shorter than a look of 30 ms. After such a look the observation before it is too old to
 * be told without another look.
 */
const QUICKLY_OLD = {
  POLL_INTERVAL_MS: '10',
  POLL_MAX_INTERVAL_MS: '10',
  POLL_IDLE_INTERVAL_MS: '60000',
}

const problem = (code: string, status: number, retryable: boolean) => ({
  type: `urn:lemlist-export-gateway:problem:${code}`,
  title: expect.any(String),
  status,
  detail: expect.any(String),
  instance: expect.any(String),
  code,
  retryable,
  campaignId,
  exportId,
})

describe('trouble of lemlist that passes', () => {
  it('is told once, with all members and the ids, and is ended by a status', async () => {
    const { open, say, fail, lemlist } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(named('status'))
    fail(500)
    const { data, id } = await stream.waitFor(named('problem'))
    expect(JSON.parse(data)).toEqual(problem('upstream-unavailable', 503, true))
    expect(id).toBe('')
    lemlist.clearCalls()
    await lemlist.waitForCalls(2)
    say(pendingBody())
    await stream.waitFor(() => stream.events.length >= 3)
    expect(namesOf(stream)).toEqual(['status', 'problem', 'status'])
    expect(stream.events[2]).toMatchObject({ data: pendingBody(), id: stream.events[0]?.id })
  })

  // The id was a new one each time, and was in no log.
  it('has the request id of its stream, also when other streams tell of it', async () => {
    const { open, say, fail, deny, logs } = await startWatching()
    say(pendingBody())
    const many = `/events?export=${campaignId}/${exportId}`
    const streams = [
      open(eventsPath(REF), { headers: ['X-Request-Id: first'] }),
      open(eventsPath(REF), { headers: ['X-Request-Id: second'] }),
      open(many, { headers: ['X-Request-Id: third'] }),
      open(many),
    ]
    for (const stream of streams) await stream.waitFor(named('status'))
    fail(500)
    for (const stream of streams) await stream.waitFor(named('problem'))
    deny()
    const ids: string[] = []
    for (const stream of streams) {
      await stream.waitFor(named('gone'))
      const told = stream.events.filter(({ event }) => ['problem', 'gone'].includes(event))
      const instances = new Set(told.map(({ data }): string => JSON.parse(data).instance))
      expect([...instances]).toEqual([fieldsOf(stream)['x-request-id']])
      ids.push(...instances)
      await stream.ended
    }
    expect(ids).toEqual(['first', 'second', 'third', expect.stringMatching(/^[\w-]{36}$/)])
    for (const id of ids) await expect.poll(logs).toContain(`"requestId":"${id}"`)
  })

  it('is told again when it changes', async () => {
    const { open, say, fail } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(named('status'))
    fail(500)
    await stream.waitFor(named('problem'))
    fail(401)
    await stream.waitFor(({ data }) => data.includes('upstream-credentials'))
    expect(namesOf(stream)).toEqual(['status', 'problem', 'problem'])
    expect(JSON.parse(stream.events[2]?.data ?? '')).toEqual(
      problem('upstream-credentials', 502, false),
    )
  })

  it.each([
    [401, 'upstream-credentials'],
    [403, 'upstream-credentials'],
    [500, 'upstream-unavailable'],
    [418, 'upstream-invalid'],
  ])('does not refuse a stream at connect: %d is a problem on a 200', async (status, code) => {
    const { open, fail, say } = await startWatching()
    fail(status)
    const stream = open()
    const told = await stream.waitFor(named('problem'))
    expect([stream.status(), JSON.parse(told.data).code]).toEqual([200, code])
    say(doneBody())
    await stream.waitFor(named('end'))
    expect(namesOf(stream)).toEqual(['problem', 'status', 'end'])
  })

  it('is told after the known status when that is young enough', async () => {
    // Regression: the status was told as if lemlist had just said it, and the next look came only
    // at the idle pace.
    const { open, say, fail, url, lemlist } = await startWatching(QUICKLY_OLD)
    say(pendingBody())
    await fetch(url + statusPath(REF))
    fail(500)
    lemlist.script({ times: 1 }, { status: 500, delayMs: 30 })
    await fetch(url + statusPath(REF))
    const stream = open()
    await stream.waitFor(named('problem'))
    expect(namesOf(stream)).toEqual(['status', 'problem'])
    say(doneBody())
    await stream.waitFor(named('end'))
  })
})

describe('an export that is over without a final status', () => {
  it('is told by `gone`, with all members and the ids, and then the stream ends cleanly', async () => {
    const { open, say, deny } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(isState('pending'))
    deny()
    const { data, id } = await stream.waitFor(named('gone'))
    expect(JSON.parse(data)).toEqual(problem('export-timed-out', 404, false))
    expect(id).toBe('gone.export-timed-out')
    const end = await stream.waitFor(named('end'))
    expect(JSON.parse(end.data)).toEqual({ reason: 'gone' })
    expect(await stream.ended).toBe('clean')
  })

  it('is told by `gone` even when that is learned after the stream began', async () => {
    const { open, lemlist } = await startWatching()
    const gate = Promise.withResolvers<void>()
    lemlist.script(
      { times: 1 },
      { status: 404, body: '{"ok":false,"message":"no"}', gate: gate.promise },
    )
    const stream = open()
    await stream.until(() => stream.text().endsWith(':\n'))
    gate.resolve()
    const gone = await stream.waitFor(named('gone'))
    expect([JSON.parse(gone.data).code, gone.id]).toEqual([
      'export-not-found',
      'gone.export-not-found',
    ])
    expect(await stream.ended).toBe('clean')
  })

  it('is not told as gone after two looks that find it missing', async () => {
    const { open, say, lemlist } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(isState('pending'))
    for (let i = 0; i < 2; i += 1)
      lemlist.script({ times: 1 }, { status: 404, body: '{"ok":false}' })
    lemlist.clearCalls()
    await lemlist.waitForCalls(4)
    say(doneBody())
    await stream.waitFor(named('end'))
    expect(namesOf(stream)).toEqual(['status', 'status', 'end'])
  })

  it('is told to a stream that began after a first look had found it missing', async () => {
    const { open, say, deny, url, lemlist } = await startWatching(QUICKLY_OLD)
    say(pendingBody())
    await fetch(url + statusPath(REF))
    deny()
    lemlist.script({ times: 1 }, { status: 404, body: '{"ok":false}', delayMs: 30 })
    await fetch(url + statusPath(REF))
    const stream = open()
    await stream.waitFor(named('gone'))
    expect(stream.status()).toBe(200)
    expect(namesOf(stream)[0]).toBe('gone')
  })
})

describe("lemlist's Bad team", () => {
  it('about a followed export is trouble and not an end', async () => {
    const { open, say, lemlist } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(isState('pending'))
    lemlist.script({}, { status: 400, body: 'Bad team', headers: { 'Content-Type': 'text/plain' } })
    const told = await stream.waitFor(named('problem'))
    expect(JSON.parse(told.data)).toEqual(problem('campaign-not-found', 404, false))
    lemlist.clearCalls()
    await lemlist.waitForCalls(3)
    say(statusBody('error'))
    await stream.waitFor(named('end'))
    expect(namesOf(stream)).toEqual(['status', 'problem', 'status', 'end'])
  })
})

describe('streams of different exports', () => {
  it('are not told of each other', async () => {
    const { open, say, fail } = await startWatching()
    const other = { campaignId, exportId: 'axp_Other' }
    say(pendingBody({}, other), other)
    fail(500)
    const healthy = open(eventsPath(other))
    const troubled = open()
    await Promise.all([healthy.waitFor(named('status')), troubled.waitFor(named('problem'))])
    say(doneBody({}, other), other)
    await healthy.waitFor(named('end'))
    expect([namesOf(healthy), namesOf(troubled)]).toEqual([
      ['status', 'status', 'end'],
      ['problem'],
    ])
  })
})
