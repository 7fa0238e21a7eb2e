import { describe, expect, it, onTestFinished } from 'vitest'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, startGateway } from '../helpers/gateway.ts'

/** Most real exports take less than a second; lemlist's own advice is to look again after five. */
describe('an export that takes a second', () => {
  it('is told to be done within 1.5 s of being known, at the intervals of production', async () => {
    const { url, lemlist } = await startGateway()
    const ref = lemlist.add({ durationMs: 1_000 })
    const stream = openEvents(url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    const pending = await stream.waitFor(isState('pending'))
    const done = await stream.waitFor(isState('done'))
    expect(done.at - pending.at).toBeLessThan(1_500)
    expect(lemlist.calls).toHaveLength(2)
  })
})
