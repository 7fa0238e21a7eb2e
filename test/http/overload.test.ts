import { describe, expect, it, onTestFinished } from 'vitest'
import type { Pressure, PressureLevel } from '../../src/telemetry/pressure.ts'
import { openEvents } from '../helpers/event-connection.ts'
import { eventsPath, manyEventsPath, startGateway, statusPath } from '../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../helpers/status-bodies.ts'
import { named, namesOf } from '../helpers/watching.ts'

const CACHED = { ...REF, exportId: 'axp_Cached0000001' }

/** A gateway whose pressure the test sets. It has read the end of one export, and no other. */
const startUnderPressure = async () => {
  let level: PressureLevel = 'calm'
  const pressure: Pressure = {
    get level() {
      return level
    },
    sheds: (kind) => level === 'overloaded' || (level === 'busy' && kind === 'stream'),
    close: () => {},
  }
  const { url, lemlist } = await startGateway({ pressure })
  lemlist.script({ exportId: REF.exportId }, { body: pendingBody() })
  lemlist.script({ exportId: CACHED.exportId }, { body: doneBody({}, CACHED) })
  const get = (path: string, headers = {}) => fetch(url + path, { headers })
  const open = (path: string, headers: readonly string[] = []) => {
    const stream = openEvents(url + path, { headers })
    onTestFinished(() => void stream.socket.destroy())
    return stream
  }
  await get(statusPath(CACHED))
  lemlist.clearCalls()
  const to = (next: PressureLevel): void => {
    level = next
  }
  return { get, open, to, lemlist }
}

describe('a gateway that has too much to do', () => {
  it.each([
    [eventsPath(REF), []],
    [manyEventsPath([REF]), []],
    [eventsPath(REF), ['Last-Event-ID: seen-before']],
  ])('turns the new stream %s away with %o, and asks lemlist nothing', async (path, headers) => {
    const { open, to, lemlist } = await startUnderPressure()
    to('busy')
    const stream = open(path, headers)
    expect(await stream.ended).toBe('abrupt')
    expect([stream.status(), namesOf(stream)]).toEqual([200, ['problem']])
    expect(JSON.parse(stream.events[0]?.data ?? '')).toMatchObject({ code: 'overloaded' })
    expect(stream.retryMs()).toBeGreaterThanOrEqual(10_000)
    expect(stream.retryMs()).toBeLessThanOrEqual(30_000)
    expect(lemlist.calls).toEqual([])
  })

  it('still asks lemlist for a read while it is only busy', async () => {
    const { get, to, lemlist } = await startUnderPressure()
    to('busy')
    expect((await get(statusPath(REF))).status).toBe(200)
    expect(lemlist.calls).toHaveLength(1)
  })

  it.each([
    ['a read', statusPath(REF), {}],
    ['a read that would wait', statusPath(REF), { prefer: 'wait=30' }],
    ['a download', statusPath(REF).replace(/status$/, 'file'), {}],
  ])('answers %s that is not cached 503 at once, and asks lemlist nothing', async (...asked) => {
    const [, path, headers] = asked
    const { get, to, lemlist } = await startUnderPressure()
    to('overloaded')
    const answer = await get(path, headers)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '3'])
    expect(answer.headers.get('preference-applied')).toBeNull()
    expect(await answer.json()).toMatchObject({ code: 'overloaded', retryable: true })
    expect(lemlist.calls).toEqual([])
  })

  it.each([
    [statusPath(CACHED), 200],
    ['/health/live', 200],
    ['/health/ready', 200],
    ['/', 200],
    ['/client.js', 200],
  ])('goes on to answer %s', async (path, status) => {
    const { get, to } = await startUnderPressure()
    to('overloaded')
    expect((await get(path)).status).toBe(status)
  })

  it('keeps the streams that are open, and takes new ones and reads when it is calm again', async () => {
    const { get, open, to } = await startUnderPressure()
    const stream = open(eventsPath(REF))
    await stream.waitFor(named('status'))
    to('overloaded')
    expect((await get(statusPath(REF))).status).toBe(503)
    expect(stream.socket.destroyed).toBe(false)
    to('calm')
    expect((await get(statusPath(REF))).status).toBe(200)
    await open(eventsPath(REF)).waitFor(named('status'))
  })
})
