import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { endingsOf, fieldsOf, named, namesOf, startWatching } from '../../helpers/watching.ts'
import { ask, rawRequest } from '../../helpers/wire.ts'

/** With such long intervals no poll comes: lemlist is asked only when a client asks. */
const NO_POLLS = {
  POLL_FIRST_MS: '60000',
  POLL_INTERVAL_MS: '60000',
  POLL_MAX_INTERVAL_MS: '60000',
  POLL_IDLE_INTERVAL_MS: '60000',
}

describe('a stream over the cap', () => {
  it.each([
    ['of one export', eventsPath(REF), { campaignId: REF.campaignId, exportId: REF.exportId }],
    ['of many exports', manyEventsPath([REF]), {}],
  ])(
    '%s is a 200 that says when to come back, and is cut, without a call to lemlist',
    async (_, path, ids) => {
      const { open, say, lemlist } = await startWatching({ ...NO_POLLS, SSE_MAX_STREAMS: '1' })
      say(pendingBody())
      await open().waitFor(named('status'))
      lemlist.clearCalls()
      const stream = open(path)
      expect(await stream.ended).toBe('abrupt')
      expect([stream.status(), namesOf(stream)]).toEqual([200, ['problem']])
      const problem = { code: 'overloaded', status: 503, retryable: true, ...ids }
      expect(JSON.parse(stream.events[0]?.data ?? '')).toMatchObject(problem)
      expect(stream.text()).toMatch(/^retry: \d+\nevent: problem\ndata: .+\n\n$/)
      expect(stream.retryMs()).toBeGreaterThanOrEqual(10_000)
      expect(stream.retryMs()).toBeLessThanOrEqual(30_000)
      expect(fieldsOf(stream)).toMatchObject({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
      })
      expect(lemlist.calls).toEqual([])
    },
  )

  it('ends cleanly with SSE_CUT=clean', async () => {
    // Behind a proxy that does not pass a broken response on, the client would wait for ever.
    const { open, say } = await startWatching({
      ...NO_POLLS,
      SSE_MAX_STREAMS: '1',
      SSE_CUT: 'clean',
    })
    say(pendingBody())
    await open().waitFor(named('status'))
    const stream = open()
    expect(await stream.ended).toBe('clean')
    expect([stream.status(), namesOf(stream)]).toEqual([200, ['problem']])
    expect(stream.retryMs()).toBeGreaterThanOrEqual(10_000)
  })

  it('finds room again after others have left, ended or been refused', async () => {
    const gateway = await startWatching({ SSE_MAX_STREAMS: '2' })
    const { open, say, deny, url } = gateway
    const unknown = { campaignId: REF.campaignId, exportId: 'axp_Unknown' }
    const done = { campaignId: REF.campaignId, exportId: 'axp_Done' }
    deny(unknown)
    say(doneBody({}, done), done)
    say(pendingBody())
    await open().waitFor(named('status'))
    for (let round = 1; round <= 5; round += 1) {
      expect((await ask(url, rawRequest(eventsPath(unknown)))).status).toBe(404)
      const over = open(eventsPath(done))
      expect([await over.ended, namesOf(over)]).toEqual(['clean', ['status', 'end']])
      const left = open()
      await left.waitFor(named('status'))
      left.socket.destroy()
      await expect.poll(() => endingsOf(gateway).length, { interval: 5 }).toBe(2 * round)
    }
    expect(new Set(endingsOf(gateway))).toEqual(new Set(['complete', 'left']))
  })
})

describe('a stream that grows old', () => {
  it('is cut after 80 to 100 % of the longest life, with a pause of 2 to 5 s', async () => {
    const gateway = await startWatching({ ...NO_POLLS, SSE_MAX_AGE_MS: '1500' })
    gateway.say(pendingBody())
    const openedAt = performance.now()
    const stream = gateway.open()
    expect(await stream.ended).toBe('abrupt')
    expect(performance.now() - openedAt).toBeGreaterThanOrEqual(1_200)
    expect(performance.now() - openedAt).toBeLessThan(2_500)
    expect(namesOf(stream)).toEqual(['status'])
    expect(stream.text()).toMatch(/\n\nretry: \d+\n\n$/)
    expect(stream.retryMs()).toBeGreaterThanOrEqual(2_000)
    expect(stream.retryMs()).toBeLessThanOrEqual(5_000)
    expect(endingsOf(gateway)).toEqual(['rotated'])
  })

  it('ends cleanly with SSE_CUT=clean, after the same pause', async () => {
    const env = { ...NO_POLLS, SSE_MAX_AGE_MS: '500', SSE_CUT: 'clean' }
    const gateway = await startWatching(env)
    gateway.say(pendingBody())
    const stream = gateway.open()
    expect(await stream.ended).toBe('clean')
    expect(namesOf(stream)).toEqual(['status'])
    expect(stream.text()).toMatch(/\n\nretry: [2-5]\d{3}\n\n$/)
    expect(endingsOf(gateway)).toEqual(['rotated'])
  })

  it('is cut at a moment of its own, and never after the longest life', async () => {
    // Regression: 12 streams ended at one moment, after 1.14 of the longest life.
    const maxAgeMs = 5_000
    const gateway = await startWatching({ ...NO_POLLS, SSE_MAX_AGE_MS: String(maxAgeMs) })
    gateway.say(pendingBody())
    const lives = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const openedAt = performance.now()
        const stream = gateway.open()
        expect(await stream.ended).toBe('abrupt')
        return performance.now() - openedAt
      }),
    )
    const sorted = lives.toSorted((one, other) => one - other)
    const [shortest = 0, longest = Infinity] = [sorted.at(0), sorted.at(-1)]
    expect(shortest).toBeGreaterThanOrEqual(0.8 * maxAgeMs)
    expect(longest).toBeLessThanOrEqual(maxAgeMs)
    expect(longest - shortest).toBeGreaterThan(0.05 * maxAgeMs)
    const moments = sorted.filter((life, index) => life - (sorted[index - 1] ?? 0) > 1)
    expect(moments.length).toBeGreaterThan(6)
  })
})

describe('the heartbeat', () => {
  it('is a comment, which no parser reports as an event', async () => {
    const { open, say } = await startWatching({ ...NO_POLLS, SSE_HEARTBEAT_MS: '30' })
    say(pendingBody())
    const stream = open()
    await stream.until(() => stream.text().endsWith(':\n'.repeat(3)))
    expect(namesOf(stream)).toEqual(['status'])
  })

  it('also comes on a many-exports stream, and while nothing is known', async () => {
    const { open, lemlist } = await startWatching({ ...NO_POLLS, SSE_HEARTBEAT_MS: '30' })
    lemlist.script({}, { hang: true })
    const stream = open(manyEventsPath([REF]))
    await stream.until(() => stream.text().endsWith(':\n'.repeat(4)))
    expect(stream.events).toEqual([])
  })
})

describe('a client that leaves', () => {
  it('while the first look is under way leaves nothing behind', async () => {
    const gateway = await startWatching({ ...NO_POLLS, SSE_MAX_STREAMS: '1' })
    const { open, lemlist, say } = gateway
    const gate = Promise.withResolvers<void>()
    lemlist.script({ times: 1 }, { body: pendingBody(), gate: gate.promise })
    const stream = open()
    await lemlist.waitForCalls(1)
    stream.socket.destroy()
    await expect.poll(() => endingsOf(gateway), { interval: 5 }).toEqual(['left'])
    say(doneBody())
    const next = open()
    gate.resolve()
    expect(await next.waitFor(named('status'))).toMatchObject({ data: pendingBody() })
  })

  it('as the last watcher leaves its export to the idle pace', async () => {
    const gateway = await startWatching({ POLL_IDLE_INTERVAL_MS: '60000', SSE_HEARTBEAT_MS: '20' })
    const { open, say, lemlist } = gateway
    const other = { campaignId: REF.campaignId, exportId: 'axp_Other' }
    say(pendingBody())
    say(pendingBody({}, other), other)
    const stays = open(eventsPath(other))
    const leaves = open()
    await Promise.all([stays, leaves].map((stream) => stream.waitFor(named('status'))))
    leaves.socket.destroy()
    await expect.poll(() => endingsOf(gateway), { interval: 5 }).toEqual(['left'])
    lemlist.clearCalls()
    await lemlist.waitForCalls(8, ({ exportId }) => exportId === other.exportId)
    // One poll was planned while the export was watched. A second one is possible, because the
    // export counts as watched for two more heartbeats.
    const idle = lemlist.calls.filter(({ exportId }) => exportId === REF.exportId)
    expect(idle.length).toBeLessThanOrEqual(2)
  })

  it('ends the polling of an export for which lemlist has never answered', async () => {
    const gateway = await startWatching({ SSE_HEARTBEAT_MS: '20' })
    const { open, say, fail, lemlist } = gateway
    const other = { campaignId: REF.campaignId, exportId: 'axp_Other' }
    fail(500)
    say(pendingBody({}, other), other)
    const stays = open(eventsPath(other))
    const leaves = open()
    await Promise.all([stays.waitFor(named('status')), leaves.waitFor(named('problem'))])
    leaves.socket.destroy()
    await expect.poll(() => endingsOf(gateway), { interval: 5 }).toEqual(['left'])
    lemlist.clearCalls()
    await lemlist.waitForCalls(12, ({ exportId }) => exportId === other.exportId)
    const asked = lemlist.calls.filter(({ exportId }) => exportId === REF.exportId)
    expect(asked.length).toBeLessThanOrEqual(1)
  })
})
