import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath, statusPath } from '../../helpers/gateway.ts'
import { pendingBody, REF } from '../../helpers/status-bodies.ts'
import { endingsOf, fieldsOf, named, startWatching } from '../../helpers/watching.ts'

describe('a gateway that drains', () => {
  it('cuts each stream after a `retry` of 1 to 3 s', async () => {
    const gateway = await startWatching()
    gateway.say(pendingBody())
    const streams = [gateway.open(), gateway.open(manyEventsPath([REF]))]
    await Promise.all(streams.map((stream) => stream.waitFor(named('status'))))
    const closed = gateway.close()
    for (const stream of streams) {
      expect(await stream.ended).toBe('abrupt')
      expect(stream.text()).toMatch(/\n\nretry: \d+\n\n$/)
      expect(stream.retryMs()).toBeGreaterThanOrEqual(1_000)
      expect(stream.retryMs()).toBeLessThanOrEqual(3_000)
    }
    await closed
    expect(endingsOf(gateway)).toEqual(['drained', 'drained'])
  })

  it('ends each stream cleanly with SSE_CUT=clean, after the same `retry`', async () => {
    const gateway = await startWatching({ SSE_CUT: 'clean' })
    gateway.say(pendingBody())
    const gate = Promise.withResolvers<void>()
    const held = { campaignId: REF.campaignId, exportId: 'axp_Held' }
    const answer = { body: pendingBody({}, held), gate: gate.promise }
    gateway.lemlist.script({ exportId: held.exportId }, answer)
    const begun = gateway.open()
    await begun.waitFor(named('status'))
    const waiting = gateway.open(eventsPath(held))
    await gateway.lemlist.waitForCalls(1, ({ exportId }) => exportId === held.exportId)
    const closed = gateway.close()
    for (const stream of [begun, waiting]) {
      expect([await stream.ended, stream.status()]).toEqual(['clean', 200])
      expect(stream.text()).toMatch(/(^|\n\n)retry: [1-3]\d{3}\n\n$/)
    }
    gate.resolve()
    await closed
    expect(endingsOf(gateway)).toEqual(['drained', 'drained'])
  })

  it('sends the head of a stream before it cuts one that has not begun', async () => {
    // Regression: the client got a 200 without a content type, which stops an EventSource for good.
    const gateway = await startWatching()
    const gate = Promise.withResolvers<void>()
    gateway.lemlist.script({}, { body: pendingBody(), gate: gate.promise })
    const stream = gateway.open()
    await gateway.lemlist.waitForCalls(1)
    const closed = gateway.close()
    expect(await stream.ended).toBe('abrupt')
    expect(stream.status()).toBe(200)
    expect(fieldsOf(stream)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-request-id': expect.any(String),
    })
    expect(stream.text()).toMatch(/^retry: \d+\n\n$/)
    gate.resolve()
    await closed
  })

  it('cuts a stream that has not begun even when its export proves to be unknown', async () => {
    const gateway = await startWatching()
    const gate = Promise.withResolvers<void>()
    gateway.lemlist.script({}, { status: 404, body: '{"ok":false}', gate: gate.promise })
    const stream = gateway.open()
    await gateway.lemlist.waitForCalls(1)
    const closed = gateway.close()
    await stream.until(() => stream.text() !== '')
    gate.resolve()
    expect([await stream.ended, stream.status()]).toEqual(['abrupt', 200])
    await closed
    expect(gateway.logs()).not.toMatch(/"level":(50|60)/)
  })

  it('turns a client away, after a `retry`, that asks on a connection that was open', async () => {
    const gateway = await startWatching()
    const { lemlist, app, say, open, url } = gateway
    const held = { campaignId: REF.campaignId, exportId: 'axp_Held' }
    const gate = Promise.withResolvers<void>()
    lemlist.script({ exportId: held.exportId }, { body: pendingBody({}, held), gate: gate.promise })
    say(pendingBody())
    const watched = open()
    await watched.waitFor(named('status'))
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const ended = text(socket)
    const ask = (path: string) => socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    ask(statusPath(held))
    await lemlist.waitForCalls(1, ({ exportId }) => exportId === held.exportId)
    const closed = gateway.close()
    await watched.ended
    const arrived = once(app.server.server, 'request')
    ask(eventsPath(REF))
    await arrived
    gate.resolve()
    const [, read = '', turnedAway = ''] = (await ended).split('HTTP/1.1 ')
    expect(read).toMatch(/^200 OK\r\n/)
    expect(turnedAway).toMatch(/^200 OK\r\n/)
    expect(turnedAway).toMatch(/\r\ncontent-type: text\/event-stream; charset=utf-8\r\n/i)
    // Regression: only answers that Fastify wrote told that the connection closes.
    expect(turnedAway).toMatch(/\r\nconnection: close\r\n/i)
    expect(turnedAway).toMatch(/\r\n\r\n[0-9a-f]+\r\nretry: [12]\d{3}\n\n\r\n$/)
    await closed
  })

  it('does not wait for a client that does not take the last frame of its stream', async () => {
    // Regression: the gateway waited until after the hard stop, and the process ended as failed.
    const gateway = await startWatching()
    const { app, open, say } = gateway
    const refs = Array.from({ length: 100 }, (_, index) => ({
      campaignId: REF.campaignId,
      exportId: `axp_${index}`,
    }))
    const filler = 'x'.repeat(15_000)
    for (const ref of refs) say(pendingBody({ filler }, ref), ref)
    let response: ServerResponse | undefined
    app.server.server.once('request', (_, res) => {
      response = res
    })
    const stream = open(manyEventsPath(refs))
    await stream.until(() => stream.status() !== undefined)
    stream.socket.pause()
    let round = 0
    const isStuck = () => {
      round += 1
      for (const ref of refs) say(pendingBody({ filler, round }, ref), ref)
      return (response?.socket?.writableLength ?? 0) > 0
    }
    await expect.poll(isStuck, { interval: 100, timeout: 15_000 }).toBe(true)
    await expect.poll(isStuck, { interval: 100, timeout: 15_000 }).toBe(true)
    const closing = performance.now()
    await gateway.close()
    expect(performance.now() - closing).toBeLessThan(8_000)
  })
})
