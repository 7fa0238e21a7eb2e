import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../src/exports/export.ts'
import type { Update } from '../../src/exports/ports.ts'
import { RedisLate } from '../../src/store/redis/client.ts'
import { createSlidingWindow } from '../../src/store/sliding-window.ts'
import { startRedis, withoutRedis } from '../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../helpers/redis-store.ts'
import { createClock } from './fixtures.ts'
import { finalOf, HOUR, refOf, timedOut, trackingOf } from './records.ts'
import { idsOf } from './schedule-fixtures.ts'

const FIVE_MINUTES = 300_000
const ref = refOf('exp_A')
const later = () => ({ inProgressUntil: Date.now() + 45_000, forgetAt: Date.now() + 24 * HOUR })
/** A final record whose life begins now, by this clock. */
const youngFinal = (text: string, now = Date.now()) => {
  const record = finalOf(text)
  const snapshot = { ...record.snapshot, observedAt: now, endOfLife: now + 24 * HOUR }
  return { ...record, snapshot, forgetAt: now + 48 * HOUR }
}

describe.skipIf(withoutRedis)('two replicas on one Redis', () => {
  const server = sharedRedis()
  const openTwo = async (...clocks: { now?: () => number }[]) => {
    const at = { url: server().url, prefix: freshPrefix() }
    const { store: one } = await openRedisStore({ ...at, ...clocks[0] })
    const { store: two } = await openRedisStore({ ...at, ...clocks[1] })
    return { one, two }
  }

  it('claim each export once, whoever is faster', async () => {
    const { one, two } = await openTwo()
    const now = Date.now()
    const ids = Array.from({ length: 60 }, (_, n) => `exp_${n}`)
    for (const id of ids) await one.schedule.track(trackingOf(id, { dueAt: now }))
    const answers = await Promise.all(
      ids.map((_, n) => (n % 2 === 0 ? one : two).schedule.claim(now + 1_000, 1)),
    )
    expect(idsOf(answers.flatMap(({ claims }) => claims)).sort()).toEqual(ids.sort())
    const claimers = answers.map(({ claims }) => claims.length > 0)
    expect(claimers.some((has, n) => has && n % 2 === 0)).toBe(true)
    expect(claimers.some((has, n) => has && n % 2 === 1)).toBe(true)
  })

  it('cannot end each other’s claims', async () => {
    const { one, two } = await openTwo()
    await one.schedule.track(trackingOf('exp_A', { dueAt: Date.now() }))
    const [claim] = (await one.schedule.claim(Date.now() + 10, 1)).claims
    if (claim === undefined) throw new Error('nothing is due')
    expect(await two.schedule.untrack(ref, `${claim.token}x`)).toBe(false)
    expect(await two.schedule.reschedule({ ref, token: 'made up' }, claim)).toBe(false)
    expect(await one.schedule.reschedule(claim, { ...claim, dueAt: Date.now() + 60_000 })).toBe(
      true,
    )
  })

  // An export that B looked at for nobody, while somebody began to watch it on A, kept B's idle pace.
  it('have the next look at the time that a new watcher asked for during a look of the other', async () => {
    const { one, two } = await openTwo()
    const now = Date.now()
    await two.schedule.track(trackingOf('exp_A', { dueAt: now }))
    const [claim] = (await two.schedule.claim(now + 10, 1)).claims
    if (claim === undefined) throw new Error('nothing is due')
    await one.schedule.watch([ref], now + 30_000, now + 5_000)
    await two.schedule.reschedule(claim, { ...claim, dueAt: now + 60_000 })
    const { dueAt = 0 } = (await one.schedule.find(ref)) ?? {}
    expect(Math.abs(dueAt - (now + 5_000))).toBeLessThan(1_000)
  })

  it('share one window exactly, whatever they do and when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 3, 4, 16),
        fc.array(
          fc.record({
            replica: fc.boolean(),
            afterMs: fc.oneof(fc.nat(40), fc.nat(600), fc.constant(2_001)),
            pauseMs: fc.option(fc.nat(900), { freq: 8, nil: 0 }),
          }),
          { minLength: 20, maxLength: 60 },
        ),
        async (calls, steps) => {
          const clock = createClock(1_000)
          const limits = { calls, windowMs: 2_000 }
          const moved = { now: clock.now, monotonic: clock.now }
          const at = { url: server().url, prefix: freshPrefix(), limits, moved }
          const [{ store: one }, { store: two }] = [
            await openRedisStore(at),
            await openRedisStore(at),
          ]
          const alone = createSlidingWindow(limits, { now: clock.now })
          for (const { replica, afterMs, pauseMs } of steps) {
            const { budget } = replica ? one : two
            if (pauseMs > 0) {
              await budget.pause('default', pauseMs)
              await alone.pause('default', pauseMs)
            }
            expect(await budget.take('default')).toBe(await alone.take('default'))
            clock.advance(afterMs)
          }
          await one.close()
          await two.close()
        },
      ),
      { numRuns: 25, seed: 3 },
    )
  })

  it('keep no more calls than fall into a window, however high the limit', async () => {
    const clock = createClock(1_000)
    const moved = { now: clock.now, monotonic: clock.now }
    const prefix = freshPrefix()
    const limits = { calls: 1_000_000_000, windowMs: 50 }
    const { store } = await openRedisStore({ url: server().url, prefix, limits, moved })
    for (let n = 0; n < 300; n += 1) {
      expect(await store.budget.take('default')).toBe(0)
      clock.advance(1)
    }
    const client = await bareClient(server())
    expect(await client.lLen(`${prefix}:calls:default`)).toBeLessThanOrEqual(52)
  })

  it('are told of updates by the other, byte for byte', async () => {
    const { one, two } = await openTwo()
    const heard: [ExportRef, Update][] = []
    two.updates.listen((ref, update) => void heard.push([ref, update]))
    const body = Uint8Array.from({ length: 16 * 1024 }, (_, n) => n)
    const now = Date.now()
    const { snapshot } = youngFinal('whole', now)
    // Subscribing takes a moment; what is published before is lost.
    await expect
      .poll(async () => {
        await one.updates.publish(ref, { kind: 'status', snapshot: { ...snapshot, body } })
        return heard.length
      })
      .toBeGreaterThan(0)
    const [[told, update] = []] = heard
    expect(told).toEqual(ref)
    if (update?.kind !== 'status') throw new Error('told something else')
    expect(Buffer.compare(update.snapshot.body, body)).toBe(0)
    expect({ ...update.snapshot, body: snapshot.body }).toEqual(snapshot)
  })

  it('keep the first final, whoever puts the second', async () => {
    const { one, two } = await openTwo()
    await one.results.put(ref, { ...timedOut, forgetAt: Date.now() + HOUR })
    const first = youngFinal('first')
    expect(await two.results.put(ref, first)).toMatchObject({ snapshot: { version: 'v-first' } })
    const kept = await one.results.put(ref, youngFinal('second'))
    expect(kept).toMatchObject({ snapshot: { version: 'v-first' } })
  })

  it('begin a piece of work once', async () => {
    const { one, two } = await openTwo()
    const states = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        (n % 2 === 0 ? one : two).idempotency.begin('k', later()),
      ),
    )
    expect(states.filter(({ state }) => state === 'yours')).toHaveLength(1)
    await two.idempotency.finish('k', Buffer.from('answer'))
    const begun = await one.idempotency.begin('k', later())
    expect(begun.state === 'finished' && Buffer.from(begun.answer).toString()).toBe('answer')
  })

  it('count each other', async () => {
    const { one, two } = await openTwo()
    await one.replicas.beat()
    await two.replicas.beat()
    expect(two.replicas.count()).toBe(2)
  })
})

describe.skipIf(withoutRedis)('two replicas whose clocks are five minutes apart', () => {
  const server = sharedRedis()
  const openTwo = async () => {
    const at = { url: server().url, prefix: freshPrefix() }
    const ahead = () => Date.now() + FIVE_MINUTES
    const { store: one } = await openRedisStore(at)
    const { store: two } = await openRedisStore({ ...at, now: ahead })
    return { one, two, ahead }
  }

  it('claim what is due by the clock of Redis, and not before', async () => {
    const { one, two, ahead } = await openTwo()
    await one.schedule.track(trackingOf('exp_later', { dueAt: Date.now() + 60_000 }))
    await one.schedule.track(trackingOf('exp_A', { dueAt: Date.now() - 1_000 }))
    const { claims, nextDueAt = 0 } = await two.schedule.claim(ahead(), 10)
    expect(idsOf(claims)).toEqual(['exp_A'])
    expect(Math.abs(nextDueAt - (ahead() + 20_000))).toBeLessThan(1_000)
    expect(Math.abs((claims[0]?.dueAt ?? 0) - (ahead() - 1_000))).toBeLessThan(1_000)
    await two.schedule.track(trackingOf('exp_B', { dueAt: ahead() - 1 }))
    expect(idsOf((await one.schedule.claim(Date.now() + 5, 10)).claims)).toEqual(['exp_B'])
  })

  it('agree how long a start is under way', async () => {
    const { one, two, ahead } = await openTwo()
    const until = { inProgressUntil: ahead() + 45_000, forgetAt: ahead() + 24 * HOUR }
    await two.idempotency.begin('k', until)
    expect(await one.idempotency.begin('k', later())).toEqual({ state: 'in-progress' })
    await one.idempotency.begin('other', later())
    expect(await two.idempotency.begin('other', until)).toEqual({ state: 'in-progress' })
  })

  // Pending observations of a clock ahead were newer than all that came after them for five minutes.
  it('take no observation of the other for newer than their own next one', async () => {
    const { one, two, ahead } = await openTwo()
    const heard: Update[] = []
    one.updates.listen((_, update) => void heard.push(update))
    const snapshot = { ...youngFinal('x').snapshot, observedAt: ahead() }
    await expect
      .poll(async () => {
        await two.updates.publish(ref, { kind: 'status', snapshot })
        return heard.length
      })
      .toBeGreaterThan(0)
    const [update] = heard
    if (update?.kind !== 'status') throw new Error('told something else')
    expect(update.snapshot.observedAt).toBeLessThanOrEqual(Date.now())
  })
})

describe.skipIf(withoutRedis)('a command that is late', () => {
  // A stopped Redis executed a claim that nobody waited for: the export was due again only 15 s later.
  it('claims nothing any more when Redis gets to it', async () => {
    const redis = await startRedis()
    const at = { url: redis.url, prefix: freshPrefix() }
    const { store } = await openRedisStore(at)
    const { store: other } = await openRedisStore(at)
    await store.schedule.track(trackingOf('exp_A', { dueAt: Date.now() - 1_000 }))
    await store.schedule.claim(Date.now(), 0)
    redis.pause()
    await expect(store.schedule.claim(Date.now(), 1)).rejects.toThrow(RedisLate)
    // Longer than anybody waits for a claim.
    await delay(600)
    redis.resume()
    await expect.poll(() => other.healthy()).toBe(true)
    expect(idsOf((await other.schedule.claim(Date.now(), 1)).claims)).toEqual(['exp_A'])
  })

  // The caller was told that nothing was begun, and his key was taken for 24 h.
  it('leaves no key taken that can be released afterwards', async () => {
    const redis = await startRedis()
    const at = { url: redis.url, prefix: freshPrefix() }
    const { store } = await openRedisStore(at)
    const { store: other } = await openRedisStore(at)
    redis.pause()
    await expect(store.idempotency.begin('k', later())).rejects.toThrow(RedisLate)
    redis.resume()
    await expect
      .poll(async () => (await other.idempotency.begin('k', later())).state)
      .toBe('in-progress')
    await other.idempotency.release('k')
    expect(await other.idempotency.begin('k', later())).toEqual({ state: 'in-progress' })
    await store.idempotency.release('k')
    expect(await other.idempotency.begin('k', later())).toEqual({ state: 'yours' })
  })

  // A process that was busy for 250 ms took Redis for away: two windows without a call each time.
  it('is not one whose answer came while this process was busy', async () => {
    const redis = await startRedis()
    const { store } = await openRedisStore({ url: redis.url, prefix: freshPrefix() })
    const answer = store.results.get(ref)
    // Let it be sent first.
    await new Promise((resolve) => setImmediate(resolve))
    const busyUntil = performance.now() + 400
    while (performance.now() < busyUntil);
    await expect(answer).resolves.toBeUndefined()
  })
})
