import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createLemlist } from '../../src/sandbox/lemlist.ts'
import { isState, openEvents } from '../helpers/event-connection.ts'
import { eventsPath, statusPath } from '../helpers/gateway.ts'
import { spawnGateway } from '../helpers/process.ts'

/**
 * A gateway that gets more than one core can do. Nobody can offer less than it takes here: whoever
 * is not answered stays, up to 13 000 clients.
 */

const LOAD_MS = 22_000
const PER_SECOND = 15_000
/** Five seconds are promised. The machine of the tests may have other work. */
const CALM_WITHIN_MS = 10_000

interface Told {
  readonly shed: number
  readonly refused: number
  readonly reads: { readonly count: number; readonly failed: number }
}

const run = async (order: object): Promise<Told> => {
  const child = fork(join(import.meta.dirname, '../helpers/overload-load.ts'), [])
  onTestFinished(() => void child.kill('SIGKILL'))
  child.send(order)
  const [told] = await once(child, 'message')
  return told
}

describe('a gateway that gets more than one core can do', () => {
  it('turns new streams and reads away, serves what is cached and its health, and is calm soon after', async () => {
    const lemlist = createLemlist()
    const LEMLIST_BASE_URL = await lemlist.listen()
    onTestFinished(() => lemlist.close())
    const { url, output, child } = await spawnGateway({
      ...{ LEMLIST_API_KEY: 'sandbox-key', LEMLIST_BASE_URL, STORE_URL: 'memory:' },
      OPS_PORT: '0',
    })
    const cached = statusPath(lemlist.add({ durationMs: 0 }))
    expect((await fetch(url + cached)).status).toBe(200)
    const pending = lemlist.add({ outcome: 'never' })
    const early = openEvents(url + eventsPath(pending))
    onTestFinished(() => void early.socket.destroy())
    await early.waitFor(isState('pending'))
    const health = `http://127.0.0.1:${/"opsPort":(\d+)/.exec(output())?.[1]}/health/live`
    const levels = () =>
      [...output().matchAll(/"time":"([^"]+)","level":"(\w+)"/g)].map(([, time = '', level]) => ({
        at: Date.parse(time),
        level,
      }))
    const order = { url, cached, health, runMs: LOAD_MS }
    const [load, beside] = await Promise.all([
      run({ ...order, perSecond: PER_SECOND }),
      run({ ...order, perSecond: 0 }),
    ])
    const ended = Date.now()
    expect(levels().map(({ level }) => level)).toEqual(
      expect.arrayContaining(['busy', 'overloaded']),
    )
    expect([load.shed, load.refused].every((count) => count > 0)).toBe(true)
    expect(beside.reads.count).toBeGreaterThan(100)
    expect(beside.reads.failed).toBe(0)
    expect(child.exitCode).toBeNull()
    // The stream of before the load is open, and hears what happens after it.
    lemlist.finish(pending.exportId)
    await early.waitFor(({ event }) => event === 'end')
    await expect.poll(() => levels().at(-1)?.level, { timeout: 60_000 }).toBe('calm')
    const calmAt = levels().at(-1)?.at ?? Number.POSITIVE_INFINITY
    expect(calmAt - ended).toBeLessThan(CALM_WITHIN_MS)
    const fresh = openEvents(url + eventsPath(lemlist.add({ outcome: 'never' })))
    onTestFinished(() => void fresh.socket.destroy())
    await fresh.waitFor(isState('pending'))
  })
})
