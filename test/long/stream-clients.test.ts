import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { recordAnswered } from '../helpers/answered.ts'
import { CLIENTS, type Heard } from '../helpers/event-clients.ts'
import { openEvents } from '../helpers/event-connection.ts'
import { eventsPath, sharedGateway, startGateway } from '../helpers/gateway.ts'
import { startHastyProxy } from '../helpers/hasty-proxy.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'

/** Longer than the longest `retry:`, which is 5 s: who comes back at all has come back by then. */
const QUIET_MS = 6_000

// Some of the libraries need globals of a browser. The files that this worker runs next do not.
afterAll(() => void vi.unstubAllGlobals())

/** An ear that waits for what it hears. */
const listener = () => {
  const heard: Heard[] = []
  let tell = () => {}
  const until = async (passes: (heard: Heard) => boolean): Promise<void> => {
    while (!heard.some(passes)) {
      await new Promise<void>((resolve) => {
        tell = resolve
      })
    }
  }
  const hear = (event: Heard) => {
    heard.push(event)
    tell()
  }
  return { heard, hear, until }
}

const statusOf = ({ event, data }: Heard) =>
  event === 'status' ? JSON.parse(data).status : undefined

describe('an export from pending over its progress to done', () => {
  // Many heartbeats fall between the events. No client must take them for messages.
  const env = { ...FAST, SSE_HEARTBEAT_MS: '20' }
  const gateway = sharedGateway({ env, lemlist: { rateLimit: UNLIMITED } })

  // Regression: fetch-event-source made a message of each `retry` and of each heartbeat, because
  // blank lines followed them, and a program that parsed its data reconnected for ever.
  it.concurrent.each(CLIENTS)('is told to $name, which is quiet afterwards', async (client) => {
    const { url, app, lemlist } = gateway()
    const answered = recordAnswered(app)
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 0, 100)
    const { heard, hear, until } = listener()
    const open = client.open(url + eventsPath(ref), hear)
    try {
      await until((event) => statusOf(event)?.progress === 0)
      lemlist.progress(ref.exportId, 50, 100)
      await until((event) => statusOf(event)?.progress === 50)
      lemlist.finish(ref.exportId)
      await until(({ event }) => event === 'end')
      await delay(QUIET_MS)

      const told = heard.map((event) => {
        const status = statusOf(event)
        return status ? `${status.status} ${status.progress}/${status.total}` : event.data
      })
      expect(told).toEqual(['pending 0/100', 'pending 50/100', 'done 0/0', '{"reason":"done"}'])
      // Nobody comes back, closed or not: `end` asks for an hour of rest.
      const mine = answered.filter(({ url }) => url.startsWith(eventsPath(ref)))
      expect(mine.map(({ status }) => status)).toEqual([200])
    } finally {
      open.close()
    }
  })
})

describe('a client that is not closed at the end, and comes back after its hour', () => {
  it.each(CLIENTS.filter(({ comesBack }) => comesBack))('$name gets 204', async (client) => {
    // Regression: event-source-polyfill sends the last id in the URL, and was told the end again
    // and again.
    const { url, app, lemlist } = await startGateway({
      env: FAST,
      lemlist: { rateLimit: UNLIMITED },
    })
    const answered = recordAnswered(app)
    const ref = lemlist.add({ durationMs: 100 })
    const { heard, hear, until } = listener()
    const hasty = await startHastyProxy(url)
    const open = client.open(hasty.url + eventsPath(ref), hear)
    onTestFinished(() => open.close())
    await until(({ event }) => event === 'end')
    const mine = () => answered.filter(({ url }) => url.startsWith(eventsPath(ref)))
    await expect.poll(() => mine().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2)
    if (client.obeys204) await expect.poll(open.isOver).toBe(true)
    else open.close()
    const [first, ...others] = mine().map(({ status }) => status)
    expect([first, new Set(others)]).toEqual([200, new Set([204])])
    expect(heard.filter(({ event }) => event === 'end')).toHaveLength(1)
  })
})

describe('the stream of an export that ends', () => {
  it('ends with its last chunk, and its last id answers 204 without a call to lemlist', async () => {
    const { url, lemlist } = await startGateway({ env: FAST, lemlist: { rateLimit: UNLIMITED } })
    const ref = lemlist.add({ durationMs: 300 })
    const stream = openEvents(url + eventsPath(ref))
    onTestFinished(() => void stream.socket.destroy())
    const { at: endedAt } = await stream.waitFor(({ event }) => event === 'end')
    expect(await stream.ended).toBe('clean')
    expect(performance.now() - endedAt).toBeLessThan(2_000)
    const id = stream.events.findLast(({ event }) => event === 'status')?.id ?? ''
    lemlist.clearCalls()
    const again = openEvents(url + eventsPath(ref), { lastEventId: id })
    expect(await again.ended).toBe('abrupt')
    expect(again.status()).toBe(204)
    expect(lemlist.calls).toEqual([])
  })
})
