import { randomUUID } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import type { Snapshot } from '../../src/exports/export.ts'
import { createHub } from '../../src/exports/watching/hub.ts'
import { singleFrames } from '../../src/http/events/frames.ts'
import { EventStream } from '../../src/http/events/stream.ts'
import { verbatimBodies } from '../../src/http/status/bodies.ts'
import { pendingBody, REF } from './status-bodies.ts'

/**
 * Runs as a process of its own, so that the memory measured is that of a hub and its sockets. The
 * process tells its parent the port. At a message of the parent it sends changes to every client
 * that is connected. Needs `--expose-gc`.
 */

export interface Measured {
  readonly dispatchedBytes: number
  readonly rssBefore: number
  /**
   * The highest of all measurements, taken after each tenth of the changes and a garbage
   * collection.
   */
  readonly rssHighest: number
  /** Unsent bytes of the stream of `/stalled` at those times: the most and the fewest. */
  readonly unsentHighest: number
  readonly unsentLowest: number
}

const BODY_BYTES = 16 * 1024
const WARM_UP_BYTES = 20 * 1024 * 1024
const BYTES = 200 * 1024 * 1024
const PARTS = 10

const hub = createHub()
const frames = singleFrames(verbatimBodies)
let stalled: ServerResponse | undefined

const server = createServer(({ url }, response) => {
  if (url === '/stalled') stalled = response
  const stream: EventStream = new EventStream(response, {
    frames,
    refs: [REF],
    requestId: 'fan-out',
    expiresAt: Number.POSITIVE_INFINITY,
    cut: 'abrupt',
    isDoubted: false,
    onClose: () => hub.unsubscribe(REF, stream),
  })
  response.on('close', () => stream.over())
  stream.begin()
  hub.subscribe(REF, stream)
})

const snapshot = (state: string): Snapshot => {
  const version = randomUUID()
  const empty = pendingBody({ version, filling: '' })
  const filling = 'x'.repeat(BODY_BYTES - empty.length)
  const body = Buffer.from(pendingBody({ version, filling }))
  return { body, state, version, observedAt: Date.now() }
}

const dispatch = async (bytes: number): Promise<number> => {
  let dispatched = 0
  while (dispatched < bytes) {
    const next = snapshot('pending')
    hub.dispatch(REF, { kind: 'status', snapshot: next }, 'here')
    dispatched += next.body.byteLength
    await turn()
  }
  return dispatched
}

const rss = (): number => {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc')
  globalThis.gc()
  return process.memoryUsage().rss
}

const measure = async (): Promise<Measured> => {
  await dispatch(WARM_UP_BYTES)
  const rssBefore = rss()
  let dispatchedBytes = 0
  let rssHighest = 0
  const unsent: number[] = []
  for (let part = 0; part < PARTS; part += 1) {
    dispatchedBytes += await dispatch(BYTES / PARTS)
    rssHighest = Math.max(rssHighest, rss())
    unsent.push(stalled?.writableLength ?? 0)
  }
  hub.dispatch(REF, { kind: 'status', snapshot: snapshot('done') }, 'here')
  const unsentHighest = Math.max(...unsent)
  return {
    dispatchedBytes,
    rssBefore,
    rssHighest,
    unsentHighest,
    unsentLowest: Math.min(...unsent),
  }
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.({ port: address?.port })
})
process.once('message', () => {
  void measure().then((measured) => process.send?.(measured))
})
process.once('disconnect', () => process.exit())
