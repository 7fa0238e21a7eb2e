import { get as httpGet } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { bareEventSource } from '../helpers/bare-event-source.ts'
import { isState } from '../helpers/event-connection.ts'
import { BOUNDLESS } from '../helpers/faults.ts'
import { startForwarder } from '../helpers/forwarder.ts'
import { eventsPath, KEY, startGateway, statusPath } from '../helpers/gateway.ts'
import { UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway } from '../helpers/process.ts'

/** Three sockets each in this process and one in a gateway: `ulimit -n` must be 4 096 or more. */
const STREAMS = 1_000
const EXPORTS = 20
const WAITS = 100
const HELD = 20
const READERS = 10
/** The readers leave the processor to the streams in between. */
const READ_EVERY_MS = 50

type Ref = { readonly campaignId: string; readonly exportId: string }

/** What an export is told to be, on a connection of its own. Rejects when the answer is cut. */
const read = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  new Promise<string>((resolve, reject) => {
    const request = httpGet(url, { agent: false, headers }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      response.on('error', reject)
      response.on('end', () => resolve(`${response.statusCode} ${JSON.parse(body).status?.status}`))
    })
    request.on('error', reject)
  })

/** Resolves when nobody listens there any more. */
const portClosed = async (url: string): Promise<void> => {
  const refused = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(false)
      })
      socket.once('error', () => resolve(true))
    })
  while (!(await refused())) await delay(20)
}

const start = async () => {
  const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
  const baseUrl = await lemlist.listen()
  onTestFinished(() => lemlist.close())
  const env = {
    ...BOUNDLESS,
    LEMLIST_API_KEY: KEY,
    LEMLIST_BASE_URL: baseUrl,
    STORE_URL: 'memory:',
  }
  const [old, next] = await Promise.all([spawnGateway(env), spawnGateway(env)])
  const forwarder = await startForwarder()
  forwarder.aim(old.url, next.url)
  const pending = (count: number): Ref[] =>
    Array.from({ length: count }, () => {
      const ref = lemlist.add({ outcome: 'never' })
      lemlist.progress(ref.exportId, 1, 2)
      return ref
    })
  return { lemlist, url: forwarder.url, old, pending }
}

describe('SIGTERM with 1 000 open streams', () => {
  it('ends with 0 in time, and every client goes on elsewhere without a bad word or a cut read', async () => {
    const { lemlist, url, old, pending } = await start()
    const refs = pending(EXPORTS)
    const clients = Array.from({ length: STREAMS / EXPORTS }, () =>
      refs.map((ref) => bareEventSource(url + eventsPath(ref))),
    ).flat()
    await Promise.all(clients.map((client) => client.waitFor(isState('pending'))))
    const waits = refs
      .flatMap((ref) => Array.from({ length: WAITS / EXPORTS }, () => ref))
      .map((ref) => read(url + statusPath(ref), { prefer: 'wait=60' }))
    const gate = Promise.withResolvers<void>()
    const held = pending(HELD).map((ref) => {
      lemlist.script({ exportId: ref.exportId }, { gate: gate.promise })
      return { ...ref, answer: read(url + statusPath(ref)) }
    })
    const isHeld = new Set(held.map(({ exportId }) => exportId))
    await lemlist.waitForCalls(HELD, ({ exportId = '' }) => isHeld.has(exportId))

    const stoppedAt = performance.now()
    let stopped = false
    const ended = old.end('SIGTERM').finally(() => {
      stopped = true
    })
    await portClosed(old.url)
    gate.resolve()
    const readers = refs.slice(0, READERS).map(async (ref) => {
      const answers: string[] = []
      while (!stopped) {
        answers.push(await read(url + statusPath(ref)))
        await delay(READ_EVERY_MS)
      }
      return answers
    })
    expect(await ended).toBe(0)
    expect(performance.now() - stoppedAt).toBeLessThan(30_000)
    const answers = await Promise.all([
      ...held.map(({ answer }) => answer),
      // Released by the stop, not cut by it.
      ...waits,
      ...(await Promise.all(readers)).flat(),
    ])
    expect(answers.length).toBeGreaterThan(HELD + WAITS + READERS)
    expect(new Set(answers)).toEqual(new Set(['200 pending']))

    for (const { exportId } of refs) lemlist.finish(exportId)
    const stops = await Promise.all(clients.map((client) => client.stopped))
    expect(new Set(stops)).toEqual(new Set([204]))
    // The stream that was cut, the one at the second gateway, and the end of it.
    const ways = new Set(clients.map(({ statuses }) => statuses.join(' ')))
    expect(ways).toEqual(new Set(['200 200 204']))
    expect(clients.every(({ events }) => events.some(isState('done')))).toBe(true)
  })
})

// Node accepts one connection a turn of its event loop. When a crowd connected just before the port closed,
// the kernel reset all that had not had their turn: their requests were cut though they had come in time.
describe('reads that reach the port just before it closes', () => {
  it('are answered', async () => {
    const { url, lemlist, app } = await startGateway({ env: BOUNDLESS })
    const ref = lemlist.add({ durationMs: 1, startsAt: Date.now() - 1_000 })
    expect(await read(url + statusPath(ref))).toBe('200 done')
    const reads = Array.from({ length: 100 }, () => read(url + statusPath(ref)))
    // On loopback they are connected as far as the kernel is concerned once these calls were made.
    const closed = app.close()
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['200 done']))
    await closed
  })
})
