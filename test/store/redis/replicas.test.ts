import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExportRef } from '../../../src/exports/export.ts'
import type { Update } from '../../../src/exports/ports.ts'
import { createSlidingWindow } from '../../../src/store/sliding-window.ts'
import { withoutRedis } from '../../helpers/redis.ts'
import { bareClient, freshPrefix, openRedisStore, sharedRedis } from '../../helpers/redis-store.ts'
import { createClock } from '../fixtures.ts'
import { bodySaying, finalOf, HOUR, refOf, timedOut, trackingOf } from '../records.ts'
import { idsOf, roomFor } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')
const later = () => ({ inProgressUntil: Date.now() + 45_000, forgetAt: Date.now() + 24 * HOUR })
/** A final record whose life begins now. */
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
    for (const id of ids) await one.schedule('default').track([trackingOf(id, { dueAt: now })])
    const answers = await Promise.all(
      ids.map((_, n) =>
        (n % 2 === 0 ? one : two).schedule('default').claim(now + 1_000, roomFor(1)),
      ),
    )
    expect(idsOf(answers.flatMap(({ claims }) => claims)).sort()).toEqual(ids.sort())
    const claimers = answers.map(({ claims }) => claims.length > 0)
    expect(claimers.some((has, n) => has && n % 2 === 0)).toBe(true)
    expect(claimers.some((has, n) => has && n % 2 === 1)).toBe(true)
  })

  it('cannot end each other’s claims', async () => {
    const { one, two } = await openTwo()
    await one.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() })])
    const [claim] = (await one.schedule('default').claim(Date.now() + 10, roomFor(1))).claims
    if (claim === undefined) throw new Error('nothing is due')
    expect(await two.schedule('default').untrack(ref, `${claim.token}x`)).toBe(false)
    expect(await two.schedule('default').reschedule({ ...claim, token: 'made up' }, claim)).toBe(
      false,
    )
    expect(
      await one.schedule('default').reschedule(claim, { ...claim, dueAt: Date.now() + 60_000 }),
    ).toBe(true)
  })

  // Regression: replica B looked at an export without watchers. Meanwhile a watcher joined on
  // replica A. The export kept the idle pace that B planned.
  it('make the next look when a new watcher wants it, even if the other one was looking meanwhile', async () => {
    const { one, two } = await openTwo()
    const now = Date.now()
    await two.schedule('default').track([trackingOf('exp_A', { dueAt: now })])
    const [claim] = (await two.schedule('default').claim(now + 10, roomFor(1))).claims
    if (claim === undefined) throw new Error('nothing is due')
    await one.schedule('default').watch([{ ref: ref, dueBy: now + 5_000 }])
    await two.schedule('default').reschedule(claim, { ...claim, dueAt: now + 60_000 })
    const { dueAt = 0 } = (await one.schedule('default').find([ref]))[0] ?? {}
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
    const characters = Array.from({ length: 5_000 }, (_, n) => String.fromCharCode(n))
    const body = bodySaying('done', characters.join(''))
    const now = Date.now()
    const { snapshot } = youngFinal('whole', now)
    // Subscribing takes a moment. Messages that are published before it are lost.
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

  // Messages that are published while the connection is gone are lost, so the gateway then reads
  // all watched exports again.
  it('hear each other again, and know that they missed something, after their connection was lost', async () => {
    const at = { url: server().url, prefix: freshPrefix() }
    let subscribed = 0
    const { store: one } = await openRedisStore({ ...at, onResubscribe: () => void subscribed++ })
    const { store: two } = await openRedisStore(at)
    const details: string[] = []
    one.updates.listen((_, update) => void details.push(update.kind))
    await expect.poll(() => subscribed).toBe(1)
    const client = await bareClient(server())
    await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub'])
    await expect.poll(() => subscribed).toBe(2)
    await two.updates.publish(ref, { kind: 'gone', code: 'export-expired', detail: 'over' })
    await expect.poll(() => details).toEqual(['gone'])
  })

  it('count each other', async () => {
    const { one, two } = await openTwo()
    await one.replicas.beat()
    await two.replicas.beat()
    expect(two.replicas.count()).toBe(2)
  })
})
