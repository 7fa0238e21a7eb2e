import { describe, expect, it } from 'vitest'
import { eventsPath, manyEventsPath, statusPath } from '../../helpers/gateway.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'
import { named, startWatching } from '../../helpers/watching.ts'

const CROWD = 100
/**
 * How many polls one export may have while another one has `polls`. The jitter makes a wait up
 * to 8 % shorter, however long the test takes.
 */
const atMost = (polls: number): number => polls * (1 / 0.92) + 2
const popular = REF
const lonely = { campaignId: REF.campaignId, exportId: 'axp_Lonely' }

describe('a crowd that follows one export', () => {
  it('costs lemlist as many polls as one subscriber of another export', async () => {
    const { open, say, url, lemlist } = await startWatching()
    const callsFor = ({ exportId }: { exportId: string }) =>
      lemlist.calls.filter((call) => call.exportId === exportId).length
    say(pendingBody({}, popular), popular)
    say(pendingBody({}, lonely), lonely)
    const one = open(eventsPath(lonely))
    const crowd = Array.from({ length: CROWD }, (_, index) =>
      open(index % 2 === 0 ? eventsPath(popular) : manyEventsPath([popular])),
    )
    const waits = Array.from({ length: CROWD }, async () => {
      const answer = await fetch(url + statusPath(popular), { headers: { prefer: 'wait=60' } })
      return JSON.parse(await answer.text()).status.status
    })
    await Promise.all([one, ...crowd].map((stream) => stream.waitFor(named('status'))))
    expect(callsFor(popular)).toBeLessThanOrEqual(atMost(callsFor(lonely)))

    lemlist.clearCalls()
    await lemlist.waitForCalls(12, ({ exportId }) => exportId === lonely.exportId)
    expect(callsFor(popular)).toBeLessThanOrEqual(atMost(callsFor(lonely)))
    expect(callsFor(lonely)).toBeLessThanOrEqual(atMost(callsFor(popular)))

    lemlist.clearCalls()
    say(doneBody({}, popular), popular)
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['done']))
    await Promise.all(crowd.map((stream) => stream.waitFor(named('end'))))
    expect(callsFor(popular)).toBe(1)
  })
})

describe('a pending observation younger than its poll interval', () => {
  const HOURLY = {
    POLL_FIRST_MS: '60000',
    POLL_INTERVAL_MS: '60000',
    POLL_MAX_INTERVAL_MS: '60000',
  }

  it('is the first status of a stream, without a call to lemlist', async () => {
    const { open, say, url, lemlist } = await startWatching(HOURLY)
    say(pendingBody({ progress: 1 }))
    await fetch(url + statusPath(REF))
    say(pendingBody({ progress: 2 }))
    for (const path of [eventsPath(REF), manyEventsPath([REF])]) {
      const { data } = await open(path).waitFor(named('status'))
      expect(data).toContain('"progress":1,')
    }
    expect(lemlist.calls).toHaveLength(1)
  })

  it('is followed by the look that its watcher brought forward', async () => {
    const { open, say, url } = await startWatching({ POLL_IDLE_INTERVAL_MS: '60000' })
    say(pendingBody())
    await fetch(url + statusPath(REF))
    say(doneBody())
    const stream = open()
    await stream.waitFor(named('end'))
    expect(stream.events.map(({ event }) => event)).toEqual(['status', 'status', 'end'])
  })
})

describe("a caller's GET of a watched export", () => {
  it('tells every subscriber what it finds', async () => {
    const { open, say, url, lemlist } = await startWatching({
      POLL_FIRST_MS: '60000',
      POLL_INTERVAL_MS: '60000',
      POLL_MAX_INTERVAL_MS: '60000',
    })
    say(pendingBody())
    const streams = [open(), open(manyEventsPath([REF]))]
    await Promise.all(streams.map((stream) => stream.waitFor(named('status'))))
    say(doneBody())
    await fetch(url + statusPath(REF))
    await Promise.all(streams.map((stream) => stream.waitFor(named('end'))))
    expect(lemlist.calls).toHaveLength(2)
  })
})
