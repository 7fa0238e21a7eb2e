import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyOf, type Snapshot } from '../../src/exports/export.ts'
import { createCache } from '../../src/exports/reading/cache.ts'
import { createLatest } from '../../src/exports/reading/latest.ts'
import { decodeUpdate } from '../../src/exports/update.ts'
import { decodeResult, encodeResult } from '../../src/store/redis/result-record.ts'
import { claimFrom, trackedFrom } from '../../src/store/redis/schedule-row.ts'
import { checksumOf, decodeFollowed, decodeRecord } from '../../src/store/sqlite/record.ts'
import { decodeWork } from '../../src/store/sqlite/work-row.ts'
import { fakeObserver, fakeResults } from '../helpers/fakes.ts'
import { finalOf, refOf, START } from '../store/records.ts'

/**
 * What another program may have written into a store: rows whose checksum is right, and whose content
 * is anything. Each is a record of its kind or none. No reader throws, and no caller is shown a body
 * that is no status.
 */

const RUNS = { numRuns: 1_000 }
const REF = refOf('axp_A')
const KEY = keyOf(REF)

const time = fc.oneof(fc.nat(), fc.double(), fc.constantFrom('1', null, 1e308))
const words = fc.oneof(
  fc.constantFrom('final', 'timed-out', 'expired', 'begun', 'given-up', 'finished', 'pending'),
  fc.anything(),
)
const state = fc.oneof(fc.constantFrom('done', 'error', 'pending', '__proto__'), fc.string())

/** JSON near to a record of any kind. */
const nearly = fc
  .record(
    {
      kind: words,
      state: words,
      origin: fc.oneof(fc.constantFrom('watched', 'started', 'toString'), fc.anything()),
      forgetAt: time,
      firstSeenAt: time,
      inProgressUntil: time,
      ref: fc.oneof(fc.constant(REF), fc.anything()),
      snapshot: fc.oneof(
        fc.record({ state, version: fc.string(), observedAt: time, endOfLife: time }),
        fc.anything(),
      ),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value) ?? 'null')
const text = fc.oneof(nearly, fc.json(), fc.string())
const body = fc.option(fc.uint8Array({ maxLength: 40 }))

/** SQLite's rows hold bytes that no other thread shares. */
const sumOf = (record: string, bytes: Uint8Array | null, key = KEY) =>
  new Uint8Array(checksumOf(key, record, bytes))

const isTime = (value: unknown): boolean => Number.isFinite(value)

describe('a row of SQLite with a right checksum', () => {
  it('is a result whose fields are of their types, or none', () => {
    const property = fc.property(text, body, (record, bytes) => {
      const row = { record, body: bytes, checksum: sumOf(record, bytes) }
      const result = decodeRecord(KEY, row)
      if (result === undefined) return
      expect(isTime(result.forgetAt)).toBe(true)
      if (result.kind !== 'final') return
      const { observedAt, endOfLife, body: shown } = result.snapshot
      expect([isTime(observedAt), isTime(endOfLife), shown]).toEqual([true, true, bytes])
    })
    fc.assert(property, RUNS)
  })

  it('is a followed export of its own key, or none', () => {
    const property = fc.property(text, (record) => {
      const followed = decodeFollowed(KEY, { record, checksum: sumOf(record, null) })
      if (followed !== undefined) expect(followed).toMatchObject({ ref: REF })
    })
    fc.assert(property, RUNS)
  })

  it('is the work of an idempotency key with an end, or none', () => {
    const property = fc.property(text, body, time, (record, answer, forgetAt) => {
      const checksum = sumOf(record, answer, 'key')
      // A row cannot hold everything that JSON can.
      const forget_at = typeof forgetAt === 'number' ? forgetAt : null
      const work = decodeWork({ key: 'key', copy: 'key', record, answer, checksum, forget_at })
      if (work !== undefined) expect(isTime(work.forgetAt)).toBe(true)
    })
    fc.assert(property, RUNS)
  })
})

describe('a value of Redis', () => {
  it('is a result, a tracked export or a claim with numbers for times, or none', () => {
    const key = fc.oneof(fc.constant(KEY), fc.string(), fc.anything())
    const property = fc.property(fc.oneof(text, fc.anything()), key, (value, named) => {
      for (const one of [trackedFrom(REF, value), ...claimFrom([named, value])]) {
        if (one !== undefined) expect(isTime(one.dueAt) && isTime(one.firstSeenAt)).toBe(true)
      }
      if (typeof value === 'string') expect(decodeResult(REF, value)).toBeUndefined()
    })
    fc.assert(property, RUNS)
  })

  it('of the channel is an update with a short detail and state, or none', () => {
    const update = fc.oneof(
      fc.record({ kind: words, code: fc.constant('internal'), detail: fc.string() }),
      fc.record({ kind: fc.constant('status'), snapshot: fc.anything() }),
    )
    const message = fc
      .record({ form: fc.constantFrom(1, 2), ref: fc.constant(REF), update, body: fc.string() })
      .map((value) => JSON.stringify(value))
    const property = fc.property(fc.oneof(message, text), (sent) => {
      const said = decodeUpdate(sent)?.update
      if (said?.kind === 'trouble' || said?.kind === 'gone')
        expect(said.detail.length).toBeLessThan(1_001)
    })
    fc.assert(property, RUNS)
    const long = { kind: 'trouble', code: 'internal', detail: 'x'.repeat(1_001) }
    expect(decodeUpdate(JSON.stringify({ form: 1, ref: REF, update: long }))).toBeUndefined()
  })
})

describe('a stored result with a right checksum whose body is no status of its state', () => {
  // Regression: it was shown to callers, and a download of it was a 500.
  it.each(['', 'null', '{}', '{"status":null}', '{"status":{"status":"error"}}', '\ud800'])(
    'is reported and counts as none: %s',
    async (said) => {
      const results = fakeResults()
      const observer = fakeObserver()
      const snapshot: Snapshot = { ...finalOf('x').snapshot, body: Buffer.from(said) }
      const sent = encodeResult(REF, {
        ...finalOf('x'),
        snapshot: { ...snapshot, endOfLife: 9e15 },
      })
      const stored = decodeResult(REF, sent)
      if (stored === undefined) throw new Error('the checksum is not right')
      results.records.set(KEY, stored)
      const now = () => START
      const latest = createLatest()
      const cache = createCache({ results, latest, observer, fileTtlMs: 1, now })
      expect(await cache.lookup(REF)).toBeUndefined()
      expect(observer.told).toEqual(['storeFailed corrupt-record'])
    },
  )
})
