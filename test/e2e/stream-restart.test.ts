import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { bareEventSource } from '../helpers/bare-event-source.ts'
import { isState } from '../helpers/event-connection.ts'
import { startForwarder } from '../helpers/forwarder.ts'
import { eventsPath, KEY } from '../helpers/gateway.ts'
import { FAST, UNLIMITED } from '../helpers/pace.ts'
import { spawnGateway, tempDirectory } from '../helpers/process.ts'

const CLIENTS = 200

describe('a gateway that is killed in the middle of an export', () => {
  it('tells every client the final status once it is back', async () => {
    const lemlist = createLemlist({ apiKeys: [KEY], rateLimit: UNLIMITED })
    const baseUrl = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const env = {
      ...FAST,
      LEMLIST_API_KEY: KEY,
      LEMLIST_BASE_URL: baseUrl,
      STORE_URL: `sqlite:${join(tempDirectory(), 'gateway.sqlite')}`,
    }
    const forwarder = await startForwarder()
    const before = await spawnGateway(env)
    forwarder.aim(before.url)
    const ref = lemlist.add({ outcome: 'never' })
    lemlist.progress(ref.exportId, 1, 2)
    const url = forwarder.url + eventsPath(ref)
    const clients = Array.from({ length: CLIENTS }, () => bareEventSource(url))
    await Promise.all(clients.map((client) => client.waitFor(isState('pending'))))

    expect(await before.end('SIGKILL')).toBe('SIGKILL')
    lemlist.finish(ref.exportId)
    const after = await spawnGateway(env)
    forwarder.aim(after.url)

    await Promise.all(clients.map((client) => client.waitFor(isState('done'))))
    // Told the end, each comes back once more and is stopped.
    const stops = await Promise.all(clients.map(({ stopped }) => stopped))
    expect(new Set(stops)).toEqual(new Set([204]))
    for (const { statuses } of clients) expect(statuses).toEqual([200, 200, 204])
  })
})
