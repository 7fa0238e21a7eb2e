import { once } from 'node:events'
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ExportRef } from '../../../src/exports/export.ts'
import { createHub } from '../../../src/exports/watching/hub.ts'
import { type Frames, manyFrames, singleFrames } from '../../../src/http/events/frames.ts'
import { EventStream } from '../../../src/http/events/stream.ts'
import { verbatimBodies } from '../../../src/http/status/bodies.ts'
import { isState, openEvents } from '../../helpers/event-connection.ts'
import { doneBody, pendingBody, REF } from '../../helpers/status-bodies.ts'

/** Large, so that few of them fill the buffers of the kernel. */
const FILLING = 'x'.repeat(15 * 1_024)
/** Far more than the kernel takes for a client that does not read. */
const MOST_CHANGES = 5_000

const serveStream = async (refs: readonly ExportRef[], frames: Frames) => {
  const hub = createHub()
  const opened = Promise.withResolvers<EventStream>()
  const server = createServer((_request, response) => {
    const stream: EventStream = new EventStream(response, {
      ...{ frames, refs, requestId: 'slow', expiresAt: Number.POSITIVE_INFINITY },
      ...{ cut: 'abrupt', isDoubted: false },
      onClose: () => {
        for (const ref of refs) hub.unsubscribe(ref, stream)
      },
    })
    response.on('close', () => stream.over())
    for (const ref of refs) hub.subscribe(ref, stream)
    stream.begin()
    opened.resolve(stream)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const client = openEvents(`http://127.0.0.1:${address.port}/`)
  const say = (state: string, version: string, body: string, ref: ExportRef = REF): void => {
    const snapshot = { state, version, body: Buffer.from(body), observedAt: Date.now() }
    hub.dispatch(ref, { kind: 'status', snapshot }, 'here')
  }
  return { client, stream: await opened.promise, say }
}

describe('a client that stops reading', () => {
  it('is told the newest status and the end when it reads again, and not all that was in between', async () => {
    const { client, stream, say } = await serveStream([REF], singleFrames(verbatimBodies))
    say('pending', 'v0', pendingBody({ filling: FILLING }))
    await client.waitFor(isState('pending'))
    expect(stream.stuckSince()).toBeUndefined()
    client.socket.pause()
    let changes = 0
    while (stream.stuckSince() === undefined && changes < MOST_CHANGES) {
      changes += 1
      say('pending', `v${changes}`, pendingBody({ filling: FILLING }))
      await turn()
    }
    expect(stream.stuckSince()).toBeDefined()
    for (let more = 0; more < 100; more += 1) {
      changes += 1
      say('pending', `v${changes}`, pendingBody({ filling: FILLING }))
      await turn()
    }
    client.socket.resume()
    await client.waitFor(({ id }) => id === `v${changes}`)
    expect(client.events.length).toBeLessThan(changes - 90)
    await expect.poll(() => stream.stuckSince(), { interval: 5 }).toBeUndefined()
    say('done', 'end', doneBody())
    expect(await client.ended).toBe('clean')
    expect(client.events.map(({ event }) => event).slice(-2)).toEqual(['status', 'end'])
  })
})

// Regression: each of the hundred was written by itself, with an id that is made of all hundred, once the
// stream no longer waited for a call that its write was taken.
describe('news of a hundred exports that come in one turn', () => {
  it('leave in few chunks', async () => {
    const refs = Array.from({ length: 100 }, (_, index) => ({ ...REF, exportId: `axp_N${index}` }))
    const { client, stream, say } = await serveStream(refs, manyFrames(verbatimBodies))
    await client.until(() => client.text() !== '')
    await expect.poll(() => stream.stuckSince(), { interval: 5 }).toBeUndefined()
    let text = ''
    client.socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
    })
    for (const ref of refs) say('pending', 'v1', pendingBody({}, ref), ref)
    await client.waitFor(() => client.events.length === refs.length)
    const chunks = text.match(/^[\da-f]+\r\n/gm)?.length
    expect(chunks).toBeGreaterThan(0)
    expect(chunks).toBeLessThan(6)
  })
})
