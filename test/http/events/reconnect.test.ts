import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { named, startWatching } from '../../helpers/watching.ts'

const start = async () => {
  const gateway = await startWatching()
  const { url, open } = gateway
  /** Opens a stream, waits until the gateway ends it, and returns the last id on it. */
  const lastIdOf = async (path = eventsPath(REF)): Promise<string> => {
    const stream = open(path)
    await stream.ended
    const id = stream.events.map(({ id }) => id).findLast((id) => id !== '')
    if (id === undefined) throw new Error(`no id: ${stream.text()}`)
    return id
  }
  const comeBack = (lastEventId: string, path = eventsPath(REF)) =>
    fetch(url + path, { headers: { accept: 'text/event-stream', 'last-event-id': lastEventId } })
  return { ...gateway, lastIdOf, comeBack }
}

describe('a client that comes back with the last id of a stream that is over', () => {
  it('gets 204 and nothing else, without a call to lemlist', async () => {
    const { say, lemlist, lastIdOf, comeBack } = await start()
    say(doneBody())
    const id = await lastIdOf()
    lemlist.clearCalls()
    const response = await comeBack(id)
    expect([response.status, await response.text(), lemlist.calls]).toEqual([204, '', []])
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-request-id')).toMatch(/^[\w-]{8,64}$/)
    expect(response.headers.get('content-type')).toBeNull()
  })

  it('gets 204 for the id of an end without a final status', async () => {
    const { say, deny, open, lemlist, comeBack } = await start()
    say(pendingBody())
    const stream = open()
    await stream.waitFor(named('status'))
    deny()
    const { id } = await stream.waitFor(named('gone'))
    await stream.ended
    lemlist.clearCalls()
    expect([(await comeBack(id)).status, lemlist.calls]).toEqual([204, []])
  })

  it('gets 204 even for an end that the gateway does not remember', async () => {
    const { lemlist, comeBack } = await start()
    expect((await comeBack('gone.export-not-found')).status).toBe(204)
    expect((await comeBack('gone.campaign-not-found')).status).toBe(204)
    expect(lemlist.calls).toEqual([])
  })
})

describe('a client that comes back with its last id in the URL', () => {
  const done = { campaignId: REF.campaignId, exportId: 'axp_Done' }

  // Regression: event-source-polyfill and reconnecting-eventsource, which send the id in the URL,
  // were told the end of an export again every few seconds, for ever.
  it.each([
    ['one export', eventsPath(REF), '?'],
    ['many exports', manyEventsPath([REF, done]), '&'],
  ])('gets 204 as for the header, on the stream of %s', async (_, path, separator) => {
    const { url, say, lemlist, lastIdOf } = await start()
    say(doneBody())
    say(doneBody({}, done), done)
    const id = await lastIdOf(path)
    lemlist.clearCalls()
    const ask = async (query: string, headers: Record<string, string> = {}) => {
      const signal = AbortSignal.timeout(5_000)
      const response = await fetch(`${url}${path}${separator}${query}`, { headers, signal })
      await response.text()
      return response.status
    }
    expect(await ask(`lastEventId=${id}`)).toBe(204)
    // reconnecting-eventsource appends to a URL that may have the parameter already.
    expect(await ask(`lastEventId=old&lastEventId=${id}`)).toBe(204)
    expect(await ask(`lastEventId=${id}`, { 'last-event-id': '' })).toBe(204)
    // What is said in the header counts more, because a URL may be an old one.
    expect(await ask(`lastEventId=${id}`, { 'last-event-id': 'another' })).toBe(200)
    for (const other of ['', 'another', '%00', '%0d%0aid:+x', 'x'.repeat(1_000), '%ff']) {
      expect([other, await ask(`lastEventId=${other}`)]).toEqual([other, 200])
    }
    expect(lemlist.calls).toEqual([])
  })
})

describe('a client that comes back with another id', () => {
  it.each(['gone.export-not-found', 'gone.export-timed-out', 'AAAAAAAAAAAAAAAAAAAAAA'])(
    'gets the final status that it has not seen: %s',
    async (id) => {
      const { say, open, url } = await start()
      say(doneBody())
      await fetch(url + statusPath(REF))
      const stream = open(eventsPath(REF), { lastEventId: id })
      await stream.ended
      expect([stream.status(), stream.events[0]?.event]).toEqual([200, 'status'])
    },
  )

  it.each([
    'gone.',
    'gone.done',
    'gone.internal',
    '<script>',
    'a b',
    'x'.repeat(101),
    'x'.repeat(8_000),
    '%00',
    '\u00ff\u0080',
    'over.AAAAAAAAAAAAAAAAAAAAAA',
  ])(
    'gets the status as without an id when the id cannot be one of the gateway (case %#)',
    async (id) => {
      const { say, open } = await start()
      say(pendingBody())
      const stream = open(eventsPath(REF), { lastEventId: id })
      const told = await stream.waitFor(named('status'))
      expect([stream.status(), told.data]).toEqual([200, pendingBody()])
      expect(stream.head() + stream.text()).not.toContain(id)
    },
  )

  it('gets the status again when it is still pending', async () => {
    const { say, open } = await start()
    say(pendingBody())
    const first = await open().waitFor(named('status'))
    const again = await open(eventsPath(REF), { lastEventId: first.id }).waitFor(named('status'))
    expect(again).toMatchObject({ data: first.data, id: first.id })
  })
})

describe('a client of many exports that comes back', () => {
  const done = { campaignId: REF.campaignId, exportId: 'axp_Done' }
  const unknown = { campaignId: REF.campaignId, exportId: 'axp_Unknown' }
  const foreign = { campaignId: 'cam_Foreign', exportId: 'axp_Foreign' }
  const path = manyEventsPath([done, unknown, foreign])

  const startOver = async () => {
    const one = await start()
    one.say(doneBody({}, done), done)
    one.deny(unknown)
    one.lemlist.script(
      { exportId: foreign.exportId },
      { status: 400, body: 'Bad team', headers: { 'Content-Type': 'text/plain' } },
    )
    return one
  }

  it('gets 204 when all are over, whatever the end of each, without a call to lemlist', async () => {
    // Regression: an end with a code other than export-not-found was told again at every reconnect.
    const { lemlist, lastIdOf, comeBack } = await startOver()
    const id = await lastIdOf(path)
    lemlist.clearCalls()
    expect([(await comeBack(id, path)).status, lemlist.calls]).toEqual([204, []])
  })

  it('gets 204 when one of the exports has timed out', async () => {
    const { say, deny, open, comeBack } = await startOver()
    const two = manyEventsPath([REF, done])
    say(pendingBody())
    const stream = open(two)
    await stream.waitFor(named('status'))
    deny()
    const { id } = await stream.waitFor(named('gone'))
    await stream.ended
    expect((await comeBack(id, two)).status).toBe(204)
  })

  it('gets a stream when the id is that of other exports', async () => {
    const { open, lastIdOf } = await startOver()
    const lastEventId = await lastIdOf(path)
    const stream = open(manyEventsPath([done, unknown]), { lastEventId })
    expect([await stream.ended, stream.status()]).toEqual(['clean', 200])
  })

  it('gets a stream when one of the exports has a final status that it was not told', async () => {
    const { say, open, lastIdOf, url } = await startOver()
    const lastEventId = await lastIdOf(path)
    say(doneBody({}, unknown), unknown)
    await fetch(url + statusPath(unknown))
    const stream = open(path, { lastEventId })
    await stream.ended
    const told = stream.events.filter(named('status')).map(({ data }) => JSON.parse(data).exportId)
    expect(told.sort()).toEqual(['axp_Done', 'axp_Unknown'])
  })
})
