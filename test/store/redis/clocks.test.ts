import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Update } from '../../../src/exports/ports.ts'
import { RedisLate } from '../../../src/store/redis/client.ts'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { bodySaying, finalOf, HOUR, refOf, trackingOf } from '../records.ts'
import { idsOf, roomFor } from '../schedule-fixtures.ts'

const FIVE_MINUTES = 300_000
/** That of the gateway. */
const DEADLINE_MS = 250
const ref = refOf('exp_A')
const later = () => ({ inProgressUntil: Date.now() + 45_000, forgetAt: Date.now() + 24 * HOUR })

describe.skipIf(withoutRedis)('two replicas whose clocks are five minutes apart', () => {
  const server = sharedRedis()
  const openTwo = async () => {
    const at = { url: server().url, prefix: freshPrefix() }
    const ahead = () => Date.now() + FIVE_MINUTES
    const { store: one } = await openRedisStore(at)
    const { store: two } = await openRedisStore({ ...at, now: ahead })
    return { one, two, ahead }
  }

  it('claim exports that are due by the clock of Redis, and no others', async () => {
    const { one, two, ahead } = await openTwo()
    await one.schedule('default').track([trackingOf('exp_later', { dueAt: Date.now() + 60_000 })])
    await one.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 1_000 })])
    const { claims, nextDueAt = 0 } = await two.schedule('default').claim(ahead(), roomFor(10))
    expect(idsOf(claims)).toEqual(['exp_A'])
    expect(Math.abs(nextDueAt - (ahead() + 20_000))).toBeLessThan(1_000)
    expect(Math.abs((claims[0]?.dueAt ?? 0) - (ahead() - 1_000))).toBeLessThan(1_000)
    await two.schedule('default').track([trackingOf('exp_B', { dueAt: ahead() - 1 })])
    expect(
      idsOf((await one.schedule('default').claim(Date.now() + 5, roomFor(10))).claims),
    ).toEqual(['exp_B'])
  })

  it('agree when an export was looked at', async () => {
    const { one, two, ahead } = await openTwo()
    await one.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 1_000 })])
    const { claims } = await two.schedule('default').claim(ahead(), roomFor(1))
    const [claim] = claims
    if (claim === undefined) throw new Error('nothing was claimed')
    expect(Math.abs(claim.lookedAt - (ahead() - 61_000))).toBeLessThan(1_000)
    await two.schedule('default').reschedule(claim, { ...claim, lookedAt: ahead() })
    const [found] = await one.schedule('default').find([ref])
    expect(Math.abs((found?.lookedAt ?? 0) - Date.now())).toBeLessThan(1_000)
  })

  it('agree how long a start is in progress', async () => {
    const { one, two, ahead } = await openTwo()
    const until = { inProgressUntil: ahead() + 45_000, forgetAt: ahead() + 24 * HOUR }
    await two.idempotency.begin('k', until)
    expect(await one.idempotency.begin('k', later())).toEqual({ state: 'in-progress' })
    await one.idempotency.begin('other', later())
    expect(await two.idempotency.begin('other', until)).toEqual({ state: 'in-progress' })
  })

  // Regression: a pending observation of the replica whose clock is ahead counted as newer than all
  // observations of the next five minutes.
  it('do not treat an observation of the other as newer than their own next one', async () => {
    const { one, two, ahead } = await openTwo()
    const heard: Update[] = []
    one.updates.listen((_, update) => void heard.push(update))
    const body = bodySaying('done')
    const snapshot = { ...finalOf('x').snapshot, body, observedAt: ahead() }
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

  it('know how long a look of the other took, although they do not know when it was', async () => {
    const { one, two, ahead } = await openTwo()
    const heard: Update[] = []
    one.updates.listen((_, update) => void heard.push(update))
    const { endOfLife: _, ...final } = finalOf('x').snapshot
    const observedAt = ahead()
    const looked = { observedAt, askedAt: observedAt - 885 }
    const snapshot = { ...final, ...looked, body: bodySaying('pending'), state: 'pending' }
    await expect
      .poll(async () => {
        await two.updates.publish(ref, { kind: 'status', snapshot })
        return heard.length
      })
      .toBeGreaterThan(0)
    const [update] = heard
    if (update?.kind !== 'status') throw new Error('told something else')
    const { observedAt: at, askedAt = 0 } = update.snapshot
    expect(at).toBeLessThanOrEqual(Date.now())
    expect(at - askedAt).toBe(885)
  })
})

describe.skipIf(withoutRedis)('a command that is late', () => {
  // Regression: a stopped Redis executed a claim later, when nobody waited for it any more. The
  // export was due again only after 15 s.
  it('claims nothing when Redis executes it later', async () => {
    const redis = await startRedis()
    const at = { url: redis.url, prefix: freshPrefix(), deadlineMs: DEADLINE_MS }
    const { store } = await openRedisStore(at)
    const { store: other } = await openRedisStore(at)
    await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 1_000 })])
    await store.schedule('default').claim(Date.now(), roomFor(0))
    redis.pause()
    await expect(store.schedule('default').claim(Date.now(), roomFor(1))).rejects.toThrow(RedisLate)
    // This is longer than any store waits for a claim.
    await delay(600)
    redis.resume()
    await expect.poll(() => other.healthy()).toBe(true)
    expect(idsOf((await other.schedule('default').claim(Date.now(), roomFor(1))).claims)).toEqual([
      'exp_A',
    ])
  })

  // Regression: the caller was told that nothing was begun, but the key stayed taken for 24 h.
  it('may take a key, but this key can be released afterwards', async () => {
    const redis = await startRedis()
    const at = { url: redis.url, prefix: freshPrefix(), deadlineMs: DEADLINE_MS }
    const { store } = await openRedisStore(at)
    const { store: other } = await openRedisStore(at)
    redis.pause()
    await expect(store.idempotency.begin('k', later())).rejects.toThrow(RedisLate)
    redis.resume()
    // A bare client looks for the key. A `begin` of the test might be executed before the late one.
    const client = await bareClient(redis)
    await expect.poll(() => client.exists(`${at.prefix}:once:k`)).toBe(1)
    expect(await other.idempotency.begin('k', later())).toEqual({ state: 'in-progress' })
    await other.idempotency.release('k')
    expect(await other.idempotency.begin('k', later())).toEqual({ state: 'in-progress' })
    await store.idempotency.release('k')
    expect(await other.idempotency.begin('k', later())).toEqual({ state: 'yours' })
  })

  // Regression: a process that was busy for 250 ms believed that Redis was away. Each time it made
  // no call for two windows.
  it('is not a command whose answer came while the process was busy', async () => {
    const redis = await startRedis()
    const at = { url: redis.url, prefix: freshPrefix(), deadlineMs: DEADLINE_MS }
    const { store } = await openRedisStore(at)
    const client = await bareClient(redis)
    // Redis keeps the command until the process is busy, and answers before its deadline is over.
    await client.sendCommand(['CLIENT', 'PAUSE', '150', 'ALL'])
    const answer = store.results.get(ref)
    // The command must be sent before the process is busy.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    const busyUntil = performance.now() + 700
    while (performance.now() < busyUntil);
    await expect(answer).resolves.toBeUndefined()
  })
})
