import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFailover } from '../../../src/store/failover/store.ts'
import { withoutRedis } from '../../helpers/redis.ts'
import {
  type BareClient,
  bareClient,
  freshPrefix,
  openRedisStore,
  sharedRedis,
} from '../../helpers/redis-store.ts'
import { finalOf, HOUR, LIMITS, refOf, trackingOf, VISIBILITY_MS } from '../records.ts'
import { roomFor } from '../schedule-fixtures.ts'

const ref = refOf('exp_A')
const soon = () => ({ inProgressUntil: Date.now() + 45_000, forgetAt: Date.now() + 24 * HOUR })
const young = (text: string) => {
  const record = finalOf(text)
  const endOfLife = Date.now() + 24 * HOUR
  return {
    ...record,
    snapshot: { ...record.snapshot, observedAt: Date.now(), endOfLife },
    forgetAt: endOfLife + 24 * HOUR,
  }
}

/** Values that another program may have put under a key of the store. */
const JUNK: Readonly<Record<string, (client: BareClient, key: string) => Promise<unknown>>> = {
  'an empty string': (client, key) => client.set(key, ''),
  text: (client, key) => client.set(key, 'hello'),
  'the beginning of a valid record': (client, key) =>
    client.set(key, '1 final done v-x 1 2 9999999999999 sum\n{"half":'),
  'a record of a later version': (client, key) => client.set(key, '2 final done v-x 1 2 3\nx'),
  'a large number': (client, key) => client.set(key, '9'.repeat(400)),
  infinity: (client, key) => client.set(key, 'inf'),
  '8 MiB': (client, key) => client.set(key, '1 final '.padEnd(8 * 1024 * 1024, 'x')),
  bytes: (client, key) => client.set(key, Buffer.from([0x31, 0x20, 0xff, 0xfe, 0x00])),
  'a list': (client, key) => client.lPush(key, ['hello', 'inf', '99999999999999']),
  'a hash': (client, key) => client.hSet(key, 'default/cam_A1/exp_A', '{"dueAt":null}'),
  'a set': (client, key) => client.sAdd(key, 'hello'),
  'a sorted set': (client, key) => client.zAdd(key, { score: Infinity, value: 'hello' }),
  'a stream': (client, key) => client.xAdd(key, '*', { hello: 'world' }),
}

describe.skipIf(withoutRedis)('a foreign or lost value under a key of the store', () => {
  const server = sharedRedis()

  const setUp = async () => {
    const prefix = freshPrefix()
    const { store: primary, failures } = await openRedisStore({ url: server().url, prefix })
    const switches: string[] = []
    const store = createFailover(primary, {
      limits: LIMITS,
      reserve: 4,
      visibilityMs: VISIBILITY_MS,
      storeFailed: (operation) => void failures.push(operation),
      onSwitch: (to) => void switches.push(to),
    })
    onTestFinished(() => store.close())
    const client = await bareClient(server())
    return { store, primary, client, prefix, failures, switches }
  }
  type Given = Awaited<ReturnType<typeof setUp>>

  /** Uses every operation of the store, so that all of its keys exist. */
  const exercise = async ({ store, primary }: Pick<Given, 'store' | 'primary'>) => {
    await store.results.put(ref, young('done'))
    await store.results.getMany([ref, refOf('exp_B')])
    await store.results.newest(ref, 100)
    await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() })])
    await store.schedule('default').track([trackingOf('exp_idle')])
    await store.schedule('default').adopt([trackingOf('exp_unconfirmed', { origin: 'watched' })])
    await store.schedule('default').watch([{ ref, dueBy: Date.now() }])
    await store.schedule('default').renew(() => [ref, refOf('exp_unconfirmed')])
    const { claims } = await store.schedule('default').claim(Date.now() + 10, roomFor(5))
    for (const claim of claims) await store.schedule('default').reschedule(claim, claim)
    await store.schedule('default').find([ref])
    await store.schedule('default').newest(ref, 100)
    await store.budget.take('default')
    await store.budget.pause('default', 1)
    const begun = await store.idempotency.begin('k', soon())
    await store.idempotency.finish('k', Buffer.from('answer'))
    await primary.replicas.beat()
    await primary.probe()
    return begun
  }

  /** The keys of the store, without their prefix. */
  const namesOf = async ({ client, prefix }: Pick<Given, 'client' | 'prefix'>) =>
    (await client.keys(`${prefix}:*`)).map((key) => key.slice(prefix.length + 1))

  const KEYS = [
    'result:default/cam_A1/exp_A',
    'over:default/cam_A1/exp_A',
    'campaign:default/cam_A1',
    'schedule:default:campaign:cam_A1',
    'schedule:default:rows',
    'schedule:default:watched',
    'schedule:default:idle',
    'schedule:default:unconfirmed',
    'schedule:default:watchers',
    'watch:default:REPLICA',
    'calls:default',
    'pause:default',
    'once:k',
    'replicas',
    'probe',
  ]

  it('may be under any of the keys of this test, since there are no others', async () => {
    const given = await setUp()
    await exercise(given)
    const names = (await namesOf(given)).map((name) =>
      name.replace(/^watch:default:.*/, 'watch:default:REPLICA'),
    )
    expect(names.sort()).toEqual([...KEYS].sort())
  })

  it.each(Object.keys(JUNK))(
    'does not make the store give Redis up when it is %s',
    async (name) => {
      const { client, prefix, switches, failures, ...given } = await setUp()
      await exercise(given)
      const keys = await namesOf({ client, prefix })
      expect(keys).toHaveLength(KEYS.length)
      for (const key of keys) {
        await exercise(given)
        await client.del(`${prefix}:${key}`)
        await JUNK[name]?.(client, `${prefix}:${key}`)
        await exercise(given)
      }
      expect(switches).toEqual([])
      expect(new Set(failures)).toEqual(new Set(['corrupt-record']))
      // Without the foreign values everything works as before.
      await client.del(`${prefix}:once:k`)
      expect(await exercise(given)).toEqual({ state: 'yours' })
      expect(await given.store.results.get(ref)).toMatchObject({ snapshot: { version: 'v-done' } })
      expect((await given.store.schedule('default').find([ref]))[0]).toBeDefined()
      expect(await given.store.results.newest(ref, 100)).toMatchObject([{ ref }])
      const listed = await given.store.schedule('default').newest(ref, 100)
      expect(listed.map((one) => one.ref.exportId).sort()).toEqual(['exp_A', 'exp_idle'])
    },
  )

  it.each(Object.keys(JUNK))(
    'counts as no result when it is %s, and a new result replaces it',
    async (name) => {
      const { store, client, prefix } = await setUp()
      await JUNK[name]?.(client, `${prefix}:result:default/cam_A1/exp_A`)
      expect(await store.results.get(ref)).toBeUndefined()
      const kept = await store.results.put(ref, young('done'))
      expect(kept).toMatchObject({ snapshot: { version: 'v-done' } })
      expect(await store.results.get(ref)).toMatchObject({ snapshot: { version: 'v-done' } })
    },
  )

  it('counts as no result when it is the record of another export', async () => {
    const { store, client, prefix, failures } = await setUp()
    await store.results.put(refOf('exp_A', 'theirs'), young('theirs'))
    const [from, to] = ['theirs', 'default'].map(
      (account) => `${prefix}:result:${account}/cam_A1/exp_A`,
    )
    await client.copy(String(from), String(to))
    expect(await store.results.get(ref)).toBeUndefined()
    expect(failures).toEqual(['corrupt-record'])
  })

  it('makes an idempotency key unknown, since nobody can say what was begun', async () => {
    const { store, client, prefix } = await setUp()
    for (const [n, put] of Object.values(JUNK).entries()) {
      await put(client, `${prefix}:once:${n}`)
      expect(await store.idempotency.begin(`${n}`, soon())).toEqual({ state: 'unknown' })
    }
  })

  it('stops the budget for one window and no longer', async () => {
    const { primary, client, prefix } = await setUp()
    await client.lPush(`${prefix}:calls:default`, ['99999999999999'])
    const waitMs = await primary.budget.take('default')
    expect(waitMs).toBeGreaterThanOrEqual(LIMITS.windowMs - 10)
    expect(waitMs).toBeLessThanOrEqual(LIMITS.windowMs + 1)
    await client.set(`${prefix}:pause:default`, '99999999999999')
    expect(await primary.budget.take('default')).toBe(0)
  })

  // Regression: because of one member at infinity the next due time was no number, and the tracker
  // asked Redis without a pause.
  it('is never due when its time is infinite', async () => {
    const { store, client, prefix } = await setUp()
    for (const queue of ['watched', 'idle', 'unconfirmed']) {
      await client.zAdd(`${prefix}:schedule:default:${queue}`, { score: Infinity, value: 'hello' })
    }
    expect(await store.schedule('default').claim(Date.now(), roomFor(5))).toEqual({
      claims: [],
      nextDueAt: undefined,
    })
  })

  // Regression: a row without a due time counted as tracked, but nobody looked at its export again.
  it('makes an export untracked when its due time is lost, so that it can be tracked again', async () => {
    const { store, client, prefix } = await setUp()
    await store.schedule('default').track([trackingOf('exp_A')])
    await client.zRem(`${prefix}:schedule:default:idle`, 'default/cam_A1/exp_A')
    expect((await store.schedule('default').find([ref]))[0]).toBeUndefined()
  })

  it('never becomes a claim and never prevents one, whatever the rows contain', async () => {
    const { store, client, prefix, switches } = await setUp()
    const good = { ...trackingOf('exp_A'), queue: 'idle', ref: undefined, token: undefined }
    const field = fc.constantFrom(
      'dueAt',
      'lookedAt',
      'intervalMs',
      'origin',
      'misses',
      'failures',
      'firstSeenAt',
      'agedLooks',
      'queue',
      'token',
      'hastenMs',
      'extra',
    )
    const junk = fc.oneof(
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.constantFrom('NaN', '1e400', '-1e400', '"pending"', '{}', '[]', 'null', '""', '1e16'),
    )
    const spoiled = fc.tuple(field, junk).map(([name, value]) => {
      const rest = Object.entries({ ...good, [name]: undefined }).flatMap(([key, kept]) =>
        kept === undefined ? [] : [`${JSON.stringify(key)}:${JSON.stringify(kept)}`],
      )
      return `{${[...rest, `"${name}":${value}`].join(',')}}`
    })
    const row = fc.oneof(spoiled, junk, fc.string(), fc.constant('x'.repeat(100_000)))
    const member = fc.oneof(
      { weight: 4, arbitrary: fc.constant('default/cam_A1/exp_Z') },
      fc.string({ minLength: 1 }),
    )
    const place = fc.constantFrom(undefined, 1, -1, -1e15, -1e300)
    await fc.assert(
      fc.asyncProperty(row, member, place, async (text, key, score) => {
        await client.del([`${prefix}:schedule:default:idle`, `${prefix}:schedule:default:rows`])
        await client.hSet(`${prefix}:schedule:default:rows`, key, text)
        if (score !== undefined)
          await client.zAdd(`${prefix}:schedule:default:idle`, { score, value: key })
        const junkRef = refOf('exp_Z')
        await store.schedule('default').find([junkRef])
        await store.schedule('default').watch([{ ref: junkRef, dueBy: Date.now() }])
        await store
          .schedule('default')
          .reschedule({ ref: junkRef, token: 't', firstSeenAt: 0 }, trackingOf('exp_Z'))
        await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 5 })])
        const { claims } = await store.schedule('default').claim(Date.now(), roomFor(10))
        expect(claims.map((claim) => claim.ref.exportId)).toContain('exp_A')
        for (const claim of claims) {
          expect(['watched', 'started', 'pending']).toContain(claim.origin)
          for (const time of [claim.dueAt, claim.intervalMs, claim.firstSeenAt]) {
            expect(Number.isFinite(time)).toBe(true)
          }
        }
        await store.schedule('default').track([trackingOf('exp_Z')])
        expect((await store.schedule('default').find([junkRef]))[0]).toBeDefined()
        expect(switches).toEqual([])
      }),
      { numRuns: 300, seed: 5 },
    )
  })
})
