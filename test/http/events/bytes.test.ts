import { describe, expect, it } from 'vitest'
import { isState } from '../../helpers/event-connection.ts'
import { eventsPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF, statusBody } from '../../helpers/status-bodies.ts'
import { fieldsOf, named, namesOf, startWatching } from '../../helpers/watching.ts'

const reasonOf = (data: string): unknown => JSON.parse(data).reason

describe('the head of a stream', () => {
  it('has exactly the headers of an event stream', async () => {
    const { open, say } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(named('status'))
    expect(stream.head().split('\r\n')[0]).toBe('HTTP/1.1 200 OK')
    const { date, 'x-request-id': requestId, ...fields } = fieldsOf(stream)
    expect(fields).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      connection: 'keep-alive',
      'keep-alive': expect.stringMatching(/^timeout=\d+$/),
      'transfer-encoding': 'chunked',
    })
    expect(date).toMatch(/GMT$/)
    expect(requestId).toMatch(/^[\w-]{8,64}$/)
  })

  it.each(['text/event-stream', 'TEXT/Event-Stream', 'text/*', '*/*', 'text/html, */*;q=0.1'])(
    'is sent to a client that accepts %s',
    async (accept) => {
      const { open, say } = await startWatching()
      say(pendingBody())
      const stream = open(eventsPath(REF), { accept })
      await stream.waitFor(named('status'))
      expect(stream.status()).toBe(200)
    },
  )
})

describe('the first bytes of a stream', () => {
  it('are a `retry` and the status, byte for byte, with its version as the id', async () => {
    const { open, say } = await startWatching()
    const body = pendingBody({ unknown: [1.0, 'ü\u2028'], big: 12345678901234567890n.toString() })
    say(body)
    const stream = open()
    const { id } = await stream.waitFor(named('status'))
    expect(id).toMatch(/^[\w-]{22}$/)
    const [, retry = ''] = /^retry: (\d+)\n/.exec(stream.text()) ?? []
    expect(stream.text()).toBe(`retry: ${retry}\nevent: status\nid: ${id}\ndata: ${body}\n\n`)
    expect(Number(retry)).toBeGreaterThanOrEqual(2_000)
    expect(Number(retry)).toBeLessThanOrEqual(5_000)
  })

  it('have different `retry` times, so that clients do not all come back at once', async () => {
    const { open, say } = await startWatching()
    say(pendingBody())
    const streams = Array.from({ length: 20 }, () => open())
    await Promise.all(streams.map((stream) => stream.waitFor(named('status'))))
    expect(new Set(streams.map((stream) => stream.retryMs())).size).toBeGreaterThan(10)
  })

  it('are a `retry` and a comment when lemlist has not answered within 2 s', async () => {
    const { open, lemlist } = await startWatching({
      POLL_FIRST_MS: '60000',
      POLL_INTERVAL_MS: '60000',
      POLL_MAX_INTERVAL_MS: '60000',
    })
    const gate = Promise.withResolvers<void>()
    lemlist.script({}, { body: pendingBody(), gate: gate.promise })
    const askedAt = performance.now()
    const stream = open()
    await stream.until(() => stream.status() !== undefined)
    expect(performance.now() - askedAt).toBeGreaterThan(1_900)
    await stream.until(() => stream.text().endsWith(':\n'))
    expect(stream.text()).toMatch(/^retry: \d+\n:\n$/)
    gate.resolve()
    await stream.waitFor(isState('pending'))
    // The `retry` is a line of the first event, whenever that comes.
    expect(stream.text()).toMatch(/^retry: \d+\n:\nevent: status\nid: [\w-]+\ndata: .+\n\n$/)
    expect(lemlist.calls).toHaveLength(1)
  })
})

describe('a change', () => {
  it('of any field is told, and told once', async () => {
    const { open, say } = await startWatching()
    const bodies = [
      pendingBody({ progress: 1 }),
      pendingBody({ progress: 2 }),
      pendingBody({ progress: 2, campaignName: 'Renamed' }),
      pendingBody({ progress: 2, campaignName: 'Renamed', added: null }),
      pendingBody({ progress: 1 }),
      doneBody(),
    ]
    let next = 0
    const { promise: all, resolve } = Promise.withResolvers<void>()
    const advance = () => {
      const body = bodies[next]
      next += 1
      if (body === undefined) resolve()
      else say(body)
    }
    advance()
    const stream = open(undefined, { onEvent: ({ event }) => event === 'status' && advance() })
    await all
    await stream.waitFor(named('end'))
    const told = stream.events.filter(named('status')).map(({ data }) => data)
    expect(told).toEqual(bodies)
    expect(new Set(stream.events.filter(named('status')).map(({ id }) => id)).size).toBe(5)
  })

  it('that changes no byte is not told, however often lemlist is asked', async () => {
    const { open, say, lemlist } = await startWatching()
    say(pendingBody())
    const stream = open()
    await lemlist.waitForCalls(6)
    expect(namesOf(stream)).toEqual(['status'])
  })

  it('in a body of several lines is told completely', async () => {
    const { open, say } = await startWatching()
    const body = JSON.stringify(JSON.parse(pendingBody()), undefined, 2)
    say(body.replaceAll('\n', '\r\n'))
    const stream = open()
    expect((await stream.waitFor(named('status'))).data).toBe(body)
  })
})

describe('the end of a stream', () => {
  it.each(['done', 'error'])('tells that the export is %s, and is clean', async (state) => {
    const { open, say } = await startWatching()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(isState('pending'))
    say(state === 'done' ? doneBody() : statusBody('error'))
    const end = await stream.waitFor(named('end'))
    expect(namesOf(stream)).toEqual(['status', 'status', 'end'])
    expect([end.id, reasonOf(end.data)]).toEqual(['', state])
    // A client that nobody closes would come back every few seconds.
    expect(stream.retryMs()).toBe(3_600_000)
    expect(stream.text()).toMatch(/\n\nevent: end\nretry: 3600000\ndata: .+\n\n$/)
    expect(await stream.ended).toBe('clean')
  })

  it('comes at once for an export that is already final, without a call to lemlist', async () => {
    const { open, say, url, lemlist } = await startWatching()
    say(doneBody())
    await fetch(url + eventsPath(REF).replace('/events', '/status'))
    lemlist.clearCalls()
    const stream = open()
    expect(await stream.ended).toBe('clean')
    expect([namesOf(stream), lemlist.calls]).toEqual([['status', 'end'], []])
  })

  it('does not come with a state that lemlist has not documented', async () => {
    const { open, say } = await startWatching({ POLL_IDLE_INTERVAL_MS: '50' })
    say(statusBody('queued'))
    const stream = open()
    await stream.waitFor(isState('queued'))
    say(doneBody())
    await stream.waitFor(named('end'))
    expect(namesOf(stream)).toEqual(['status', 'status', 'end'])
  })
})
