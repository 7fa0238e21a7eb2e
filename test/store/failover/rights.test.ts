import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startRedis, withoutRedis } from '../../helpers/redis.ts'
import { type BareClient, bareClient, freshPrefix, PATIENT_MS } from '../../helpers/redis-store.ts'
import { trackingOf } from '../records.ts'
import { openOn, ref, replicaOn, soon, young } from './fixtures.ts'

const ROOT = join(import.meta.dirname, '../../..')
const PASSWORD = 'canary-password-8d2c6f0b1a'

/** The command of docs/operations.md that makes a user with the rights of the gateway. */
const documented = (prefix: string): string[] => {
  const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8')
  const [, command = ''] = /```text\n(ACL SETUSER [^`]+)```/.exec(page) ?? []
  const words = command.trim().split(/\s+/)
  expect(words.length).toBeGreaterThan(30)
  return words.map((word) => word.replace('leg:', `${prefix}:`).replace('PASSWORD', PASSWORD))
}

/** Every file of scripts in the Redis store, but the one that tries the rights. */
const scripts = (): string[] => {
  const folder = join(ROOT, 'src/store/redis')
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.lua') && name !== 'rights.lua')
    .map((name) => readFileSync(join(folder, name), 'utf8'))
}

const commandsIn = (text: string, call: RegExp): string[] =>
  [...text.matchAll(call)].flatMap(([, name]) => name ?? [])

const setUp = async () => {
  const redis = await startRedis()
  const admin = await bareClient(redis)
  const prefix = freshPrefix()
  await admin.sendCommand(documented(prefix))
  const url = `redis://gateway:${PASSWORD}@127.0.0.1:${redis.port}`
  const allow = (...rules: string[]) => admin.sendCommand(['ACL', 'SETUSER', 'gateway', ...rules])
  // A store that finds a busy machine late would leave Redis for that reason.
  const open = () => openOn(url, prefix, { beatMs: 100, remindMs: 150, deadlineMs: PATIENT_MS })
  return { redis, admin, prefix, url, allow, open }
}

const refusals = (admin: BareClient) => admin.sendCommand(['ACL', 'LOG'])

describe.skipIf(withoutRedis)('a user of Redis with the documented rights', () => {
  it('can do all that a gateway does, and is refused nothing', async () => {
    const { redis, admin, prefix, open } = await setUp()
    const { store, failures, switches } = await open()
    await store.schedule('default').track([trackingOf('exp_A', { dueAt: Date.now() - 1 })])
    await store.schedule('default').watch([{ ref, dueBy: Date.now() - 1 }])
    const { claims } = await store.schedule('default').claim(Date.now(), {
      watched: 9,
      idle: 9,
      unconfirmed: 9,
    })
    for (const claim of claims) await store.schedule('default').reschedule(claim, claim)
    await store.schedule('default').renew(() => [ref])
    await admin.del(`${prefix}:schedule:default:watchers`)
    for (const key of await admin.keys(`${prefix}:watch:*`)) await admin.del(key)
    await store.schedule('default').renew(() => [ref])
    await store.schedule('default').find([ref])
    await store.schedule('default').unwatch([ref])
    await store.schedule('default').untrack(ref)
    await store.results.put(ref, young('x'))
    await store.results.get(ref)
    for (let call = 0; call < 20; call += 1) await store.budget.take('default')
    await store.budget.pause('default', 50)
    await store.budget.pausedMs('default')
    expect(await store.idempotency.begin('key', soon())).toEqual({ state: 'yours' })
    await store.idempotency.finish('key', Buffer.from('{}'))
    const other = await replicaOn(redis.url, prefix)
    const heard: string[] = []
    store.updates.listen((_, __, from) => void heard.push(from))
    await store.updates.publish(ref, { kind: 'status', snapshot: young('x').snapshot })
    await other.updates.publish(ref, { kind: 'status', snapshot: young('y').snapshot })
    await expect.poll(() => heard).toEqual(['here', 'elsewhere'])
    expect(await store.healthy()).toBe(true)
    expect({ claims: claims.length, failures, switches, refused: await refusals(admin) }).toEqual({
      claims: 1,
      failures: [],
      switches: [],
      refused: [],
    })
  })

  it('has a try of each command that a script runs', () => {
    const used = scripts().flatMap((text) => commandsIn(text, /redis\.p?call\('([A-Z]+)'/g))
    const tries = readFileSync(join(ROOT, 'src/store/redis/rights.lua'), 'utf8')
    expect(new Set(used).size).toBeGreaterThan(20)
    expect(new Set(commandsIn(tries, /^try\('([A-Z]+)'/gm))).toEqual(new Set(used))
  })
})

// Regression: readiness said ok, each publish switched to "away" and back, and a right that was given
// later changed nothing.
describe.skipIf(withoutRedis)('a user of Redis without rights for the channel', () => {
  it('makes the store not healthy and no switch; the store hears again once it has them', async () => {
    const { redis, prefix, allow, open } = await setUp()
    await allow('resetchannels')
    const { store, switches, failures } = await open()
    expect([await store.healthy(), store.isMisconfigured?.()]).toEqual([false, true])
    const heard: string[] = []
    store.updates.listen((_, __, from) => void heard.push(from))
    const update = { kind: 'status', snapshot: young('x').snapshot } as const
    for (let count = 0; count < 5; count += 1) await store.updates.publish(ref, update)
    expect(await store.results.put(ref, young('x'))).toMatchObject({ kind: 'final' })
    // The log says it again and again, and names the variable.
    await expect.poll(() => failures.length, { timeout: 5_000 }).toBeGreaterThan(2)
    expect(new Set(failures)).toEqual(
      new Set([expect.stringMatching(/^updates: .*STORE_URL.*NOPERM/)]),
    )
    await allow(`&${prefix}:*`)
    await expect.poll(() => store.healthy(), { timeout: 5_000 }).toBe(true)
    const other = await replicaOn(redis.url, prefix)
    await other.updates.publish(ref, update)
    await expect.poll(() => heard).toContain('elsewhere')
    expect({ switches, misconfigured: store.isMisconfigured?.() }).toEqual({
      switches: [],
      misconfigured: false,
    })
  })

  it('may lose them and get them again while the gateway runs', async () => {
    const { prefix, allow, open } = await setUp()
    const { store, switches } = await open()
    expect(await store.healthy()).toBe(true)
    await allow('resetchannels')
    await expect.poll(() => store.isMisconfigured?.(), { timeout: 5_000 }).toBe(true)
    await allow(`&${prefix}:*`)
    await expect.poll(() => store.healthy(), { timeout: 5_000 }).toBe(true)
    expect(switches).toEqual([])
  })
})

describe.skipIf(withoutRedis)('a user of Redis without the right for a command', () => {
  it.each(['lpush', 'zrem', 'sscan', 'evalsha', 'set'])(
    'of %s makes the store leave Redis once, and come back once the right is given',
    async (command) => {
      const { allow, open } = await setUp()
      await allow(`-${command}`)
      const { store, switches, failures } = await open()
      await store.budget.take('default')
      expect(await store.healthy()).toBe(false)
      await expect.poll(() => store.isMisconfigured?.(), { timeout: 5_000 }).toBe(true)
      const told = () => failures.filter((failure) => /STORE_URL.*NOPERM/.test(failure)).length
      await expect.poll(told, { timeout: 5_000 }).toBeGreaterThan(2)
      expect(switches).toEqual(['away'])
      await allow(`+${command}`)
      await expect.poll(() => store.healthy(), { timeout: 10_000 }).toBe(true)
      expect(switches).toEqual(['away', 'back'])
    },
  )
})
