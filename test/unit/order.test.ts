import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Account, createAccount } from '../../src/account.ts'
import { loadConfig } from '../../src/config/config.ts'
import type { Snapshot } from '../../src/exports/export.ts'
import type { Store } from '../../src/exports/ports.ts'
import type { Topic } from '../../src/exports/watching/topic.ts'
import { createMemoryStore } from '../../src/store/memory/store.ts'
import { useFakeTime } from '../helpers/fake-time.ts'
import { fakeObserver, fakeUpstream, snapshotOf } from '../helpers/fakes.ts'
import { REF } from '../helpers/status-bodies.ts'

/**
 * The order in which a replica tells the statuses of one export, whichever replica has observed
 * them. lemlist and a slow store answer when the test says so.
 */

const accounts: Account[] = []
afterEach(() => {
  for (const account of accounts.splice(0)) account.close()
})

const unused = async () => Promise.reject(new Error('nobody asks for this'))

const start = () => {
  useFakeTime()
  const upstream = fakeUpstream()
  const config = loadConfig({ LEMLIST_API_KEY: 'key', STORE_URL: 'memory:' })
  const memory = createMemoryStore({ limits: config.lemlist, visibilityMs: 60_000 })
  const slow: { store: Promise<void> | undefined; bus: Promise<void> | undefined } = {
    store: undefined,
    bus: undefined,
  }
  const store: Store = {
    ...memory,
    results: {
      ...memory.results,
      getMany: async (refs) => {
        await slow.store
        return memory.results.getMany(refs)
      },
    },
    updates: {
      listen: (listener) => memory.updates.listen(listener),
      // The `publish` of a store in Redis tells this replica before it asks Redis.
      publish: async (ref, update) => {
        await memory.updates.publish(ref, update)
        await slow.bus
      },
    },
  }
  const account = createAccount({
    ...{ name: REF.account, config, store, observer: fakeObserver() },
    upstream: { ...upstream, file: unused, start: unused },
  })
  accounts.push(account)
  store.updates.listen(account.hear)
  const read = () => account.reader.read(REF)
  const settled = () => vi.advanceTimersByTimeAsync(0)
  const look = async (number: number) => {
    await settled()
    const found = upstream.looks[number]
    if (found === undefined) throw new Error(`there was no look ${number}`)
    return found
  }
  /** A status of another replica, as it comes by the bus. */
  const hear = (snapshot: Snapshot) => account.hear(REF, { kind: 'status', snapshot }, 'elsewhere')
  const watcher = () => {
    const told: string[] = []
    const subscriber = {
      changed: ({ snapshot }: Topic) => void told.push(textOf(snapshot)),
      confirmed: () => {},
    }
    const topic = account.watch.join(REF, subscriber)
    return { told, topic, leave: () => account.watch.leave(REF, subscriber) }
  }
  return { account, read, look, hear, watcher, slow, settled }
}

const textOf = (snapshot: Snapshot | undefined): string =>
  snapshot === undefined ? 'nothing' : JSON.parse(Buffer.from(snapshot.body).toString()).status.text

/** A status that lemlist was asked for `tookMs` before now, and that has come now. */
const pending = (text: string, tookMs = 0): Snapshot => ({
  ...snapshotOf('pending', Date.now(), text),
  askedAt: Date.now() - tookMs,
})

describe('a status that a replica has observed itself', () => {
  it('steps back to no older one, when Redis was slow and another replica has told a newer one meanwhile', async () => {
    // Regression: an answer that waited for Redis replaced the newer status that the bus had told meanwhile.
    const { read, look, hear, watcher, slow, settled } = start()
    const redis = Promise.withResolvers<void>()
    const { told } = watcher()
    const first = read()
    slow.store = redis.promise
    ;(await look(0)).answer(pending('older', 5))
    await vi.advanceTimersByTimeAsync(60)
    hear(pending('newer', 5))
    redis.resolve()
    await settled()
    expect(told).toEqual(['newer'])
    // The caller asked before the newer status was observed, so it is no older than his question.
    expect(textOf((await first).snapshot)).toBe('newer')
  })

  it('steps back to no older one, when the replica stood still between the question and the answer', async () => {
    // Regression: a process that had been stopped took an answer from its socket as said at that moment.
    const { read, look, hear, watcher, settled } = start()
    const { told } = watcher()
    void read()
    const stopped = await look(0)
    await vi.advanceTimersByTimeAsync(885)
    hear({ ...pending('newer'), observedAt: Date.now() - 400, askedAt: Date.now() - 410 })
    stopped.answer(pending('older', 885))
    await settled()
    expect(told).toEqual(['newer'])
  })

  it('is told by its next look, which began later than the newer one', async () => {
    const { read, look, hear, watcher, settled } = start()
    const { told } = watcher()
    void read()
    const slow = await look(0)
    await vi.advanceTimersByTimeAsync(500)
    hear(pending('newer', 10))
    slow.answer(pending('older', 500))
    await settled()
    const second = read()
    ;(await look(1)).answer(pending('newest', 0))
    expect(textOf((await second).snapshot)).toBe('newest')
    expect(told).toEqual(['newer', 'newest'])
  })

  it('is told in the order of the calls, when the clock was set back between two of them', async () => {
    const { read, look, watcher, settled } = start()
    const { told } = watcher()
    for (const [number, [text, behindMs]] of [
      ['before', 0],
      ['after', 3],
    ].entries()) {
      void read()
      const at = Date.now() - Number(behindMs)
      const snapshot = { ...snapshotOf('pending', at, String(text)), askedAt: at - 1 }
      ;(await look(number)).answer(snapshot)
      await settled()
    }
    expect(told).toEqual(['before', 'after'])
  })
})

describe('a status that another replica has observed', () => {
  it('steps back to no older one, when that replica stood still between the question and the answer', async () => {
    // Regression: what a stopped process had asked for before its stop was told as the newest by the bus.
    const { read, look, hear, watcher, settled } = start()
    const { told } = watcher()
    void read()
    ;(await look(0)).answer(pending('newer', 5))
    await vi.advanceTimersByTimeAsync(400)
    hear(pending('older', 885))
    await settled()
    expect(told).toEqual(['newer'])
    hear(pending('newest', 5))
    expect(told).toEqual(['newer', 'newest'])
  })

  it('is not taken back by what was told to a watcher who joins, whatever the bus does meanwhile', async () => {
    // Regression: Redis was slow to pass a status on, and then that status was told once more.
    const { account, look, hear, watcher, slow, settled } = start()
    const bus = Promise.withResolvers<void>()
    const { told } = watcher()
    const first = account.watch.first(REF)
    slow.bus = bus.promise
    ;(await look(0)).answer(pending('older', 5))
    await vi.advanceTimersByTimeAsync(60)
    hear(pending('newer', 5))
    bus.resolve()
    await first
    await settled()
    expect(told).toEqual(['older', 'newer'])
  })
})
