import { describe, expect, it } from 'vitest'
import { parseAccessFile } from '../../../src/access/access-file.ts'
import { createKey, createKeyRing, digestOf } from '../../../src/access/keys.ts'
import { newCaller } from '../../../src/access/new-caller.ts'
import { createRegistry } from '../../../src/access/registry.ts'
import { accessFile, entry, KEYS } from '../../helpers/callers.ts'

describe('a key', () => {
  it('is leg_ and 32 random bytes', () => {
    const keys = new Set(Array.from({ length: 1_000 }, createKey))
    expect(keys.size).toBe(1_000)
    for (const key of keys) {
      expect(key).toMatch(/^leg_[A-Za-z0-9_-]{43}$/)
      expect(Buffer.from(key.slice(4), 'base64url')).toHaveLength(32)
    }
  })

  it('has the digest that sha256sum prints', () => {
    expect(digestOf('leg_')).toBe(
      'sha256:b32660a5794538e1994f11d7d53149af1ab2ed209c950fa66e000a6a8ba2a853',
    )
  })

  it('finds what belongs to it and nothing else', () => {
    const ring = createKeyRing([
      [digestOf(KEYS.crm), 'crm'],
      [digestOf(KEYS.bi), 'bi'],
    ])
    expect(ring.find(KEYS.crm)).toBe('crm')
    expect(ring.find(KEYS.bi)).toBe('bi')
    for (const other of [
      KEYS.spare,
      '',
      'leg_',
      `${KEYS.crm}\n`,
      KEYS.crm.slice(0, -1),
      KEYS.crm.toUpperCase(),
      digestOf(KEYS.crm),
      '__proto__',
    ]) {
      expect(ring.find(other), other).toBeUndefined()
    }
  })

  it('is not found by a digest that belongs to a text of another form', () => {
    for (const text of ['password', 'p'.repeat(47), `leg_${'p'.repeat(44)}`]) {
      const ring = createKeyRing([[digestOf(text), 'crm']])
      expect(ring.find(text)).toBeUndefined()
    }
  })
})

describe('the callers of an access file', () => {
  it('are found by either of their keys, and by name', () => {
    const keys = [digestOf(KEYS.crm), digestOf(KEYS.spare)]
    const registry = createRegistry(accessFile({ crm: { keys, accounts: ['default'] } }))
    expect(registry.byKey(KEYS.crm)).toEqual({
      name: 'crm',
      id: 'key:crm',
      proof: 'key',
      accounts: ['default'],
      campaigns: undefined,
      exports: new Set(),
      scopes: new Set(['status', 'start', 'file']),
    })
    expect(registry.byKey(KEYS.spare)).toBe(registry.byKey(KEYS.crm))
    expect(registry.byName('crm')).toBe(registry.byKey(KEYS.crm))
    expect(registry.byKey(KEYS.bi)).toBeUndefined()
    expect(registry.byName('constructor')).toBeUndefined()
  })

  it('are replaced all at once', () => {
    const registry = createRegistry(accessFile({ crm: entry(KEYS.crm) }))
    registry.reload(accessFile({ bi: entry(KEYS.bi) }))
    expect(registry.byKey(KEYS.crm)).toBeUndefined()
    expect(registry.byName('crm')).toBeUndefined()
    expect(registry.byKey(KEYS.bi)?.name).toBe('bi')
  })

  it.each<[string, unknown, unknown, readonly string[]]>([
    ['nothing', { a: entry(KEYS.crm) }, { a: entry(KEYS.crm) }, []],
    ['another order of keys', twoKeys('crm', 'spare'), twoKeys('spare', 'crm'), []],
    ['a caller', {}, { a: entry(KEYS.crm) }, ['caller a: added']],
    ['a caller less', { a: entry(KEYS.crm) }, {}, ['caller a: removed']],
    ['a key', { a: entry(KEYS.crm) }, { a: entry(KEYS.spare) }, ['caller a: keys changed']],
    [
      'a second key and fewer rights',
      { a: entry(KEYS.crm) },
      { a: { ...entry(KEYS.crm), keys: twoKeys('crm', 'spare').a.keys, scopes: ['file'] } },
      ['caller a: keys changed', 'caller a: rights changed'],
    ],
    [
      'campaigns',
      { a: entry(KEYS.crm) },
      { a: entry(KEYS.crm, { campaigns: ['cam_A'] }) },
      ['caller a: rights changed'],
    ],
  ])('tell by name what a reload changes: %s', (_, before, after, changes) => {
    const registry = createRegistry(parseAccessFile(JSON.stringify({ callers: before })))
    expect(registry.reload(parseAccessFile(JSON.stringify({ callers: after })))).toEqual(changes)
  })

  it('tell that the first account is another one, since that is the one without a header', () => {
    const of = (accounts: readonly string[]) =>
      parseAccessFile(
        JSON.stringify({
          accounts: { x: { apiKey: 'k1' }, y: { apiKey: 'k2' } },
          callers: { a: entry(KEYS.crm, { accounts }) },
        }),
      )
    expect(createRegistry(of(['x', 'y'])).reload(of(['y', 'x']))).toEqual([
      'caller a: rights changed',
    ])
  })
})

function twoKeys(first: keyof typeof KEYS, second: keyof typeof KEYS) {
  return { a: entry(KEYS.crm, { keys: [digestOf(KEYS[first]), digestOf(KEYS[second])] }) }
}

describe('npm run new-caller', () => {
  it('prints a key and an entry that the access file takes as it is', () => {
    const text = newCaller('crm') ?? ''
    const [key = ''] = /leg_\S+/.exec(text) ?? []
    const [, callers = ''] = /\n\n( {2}"crm": [\s\S]+)$/.exec(text) ?? []
    const registry = createRegistry(parseAccessFile(`{"callers": {${callers}}}`))
    expect(registry.byKey(key)?.name).toBe('crm')
    expect(callers).not.toContain(key)
  })

  it('makes another key each time', () => {
    expect(newCaller('crm')).not.toBe(newCaller('crm'))
  })

  it.each(['', 'Crm', '-crm', 'c.r.m', 'ü', 'a'.repeat(64), '__proto__'])('refuses %j', (name) => {
    expect(newCaller(name)).toBeUndefined()
  })
})
