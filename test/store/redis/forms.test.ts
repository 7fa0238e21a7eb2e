import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ExportRef, Snapshot } from '../../../src/exports/export.ts'
import type { FinalRecord } from '../../../src/exports/ports.ts'
import { decodeUpdate, encodeUpdate } from '../../../src/exports/update.ts'
import { decodeResult, encodeResult } from '../../../src/store/redis/result-record.ts'
import { bodySaying } from '../records.ts'

const name = fc.stringMatching(/^[A-Za-z0-9]{1,64}$/)
const anyRef: fc.Arbitrary<ExportRef> = fc.record({
  account: name,
  campaignId: name.map((id) => `cam_${id}`),
  exportId: name.map((id) => `exp_${id}`),
})
const time = fc.integer({ min: 1, max: 8.64e15 })
const snapshot = fc.record({
  body: fc.uint8Array({ maxLength: 16_384 }),
  state: fc.constantFrom('done', 'error'),
  version: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
  observedAt: time,
  endOfLife: time,
})
const final: fc.Arbitrary<FinalRecord> = fc.record({
  kind: fc.constant('final'),
  snapshot,
  forgetAt: time,
})

/** Makes a plain array of the body, because only the bytes are compared. */
const plain = ({ body, ...rest }: Snapshot) => ({ ...rest, body: [...body] })

describe('a record in Redis', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(anyRef, final, (ref, record) => {
        const read = decodeResult(ref, encodeResult(ref, record))
        if (read?.kind !== 'final') throw new Error('did not read')
        expect({ ...read, snapshot: plain(read.snapshot) }).toEqual({
          ...record,
          snapshot: plain(record.snapshot),
        })
      }),
      { numRuns: 200 },
    )
  })

  it('is not accepted when a single character is changed or left out', () => {
    fc.assert(
      fc.property(anyRef, final, fc.nat(), fc.string({ maxLength: 1 }), (ref, record, at, put) => {
        const text = encodeResult(ref, record)
        const index = at % text.length
        const spoiled = text.slice(0, index) + put + text.slice(index + 1)
        fc.pre(spoiled !== text)
        expect(decodeResult(ref, spoiled)).toBeUndefined()
      }),
      { numRuns: 1_000 },
    )
  })

  it('is not accepted under the key of another export', () => {
    fc.assert(
      fc.property(anyRef, anyRef, final, (ref, other, record) => {
        fc.pre(JSON.stringify(ref) !== JSON.stringify(other))
        expect(decodeResult(other, encodeResult(ref, record))).toBeUndefined()
      }),
    )
  })

  it('is not found in any other text', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((rest) => `1 final done v 1 2 3 ${rest}\n`),
      fc.json(),
    )
    fc.assert(
      fc.property(anyRef, text, (ref, junk) => {
        expect(decodeResult(ref, junk)).toBeUndefined()
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('an encoded update', () => {
  // Regression: quotes in the body were escaped. A body full of quotes became longer than a message
  // may be, and never arrived.
  it('is decoded as it was sent, whatever the body contains', () => {
    const texts = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 4_096 }),
      fc.constant('"'.repeat(8_000)),
    )
    fc.assert(
      fc.property(anyRef, snapshot, texts, (ref, status, text) => {
        const body = bodySaying(status.state, text)
        const sent = { kind: 'status', snapshot: { ...status, body } } as const
        const heard = decodeUpdate(encodeUpdate(ref, sent))
        if (heard?.update.kind !== 'status') throw new Error('did not arrive')
        expect(heard.ref).toEqual(ref)
        expect(plain(heard.update.snapshot)).toEqual(plain(sent.snapshot))
      }),
      { numRuns: 200 },
    )
  })

  it('of a pending status says when lemlist was asked, if the sender knows it', () => {
    const took = fc.option(fc.nat(60_000), { nil: undefined })
    fc.assert(
      fc.property(anyRef, snapshot, took, (ref, { endOfLife: _, ...status }, tookMs) => {
        const askedAt = tookMs === undefined ? {} : { askedAt: status.observedAt - tookMs }
        const pending = { ...status, state: 'pending', body: bodySaying('pending'), ...askedAt }
        const heard = decodeUpdate(encodeUpdate(ref, { kind: 'status', snapshot: pending }))
        if (heard?.update.kind !== 'status') throw new Error('did not arrive')
        expect(plain(heard.update.snapshot)).toEqual(plain(pending))
      }),
      { numRuns: 200 },
    )
  })

  it.each(['1e999', '"soon"', 'null', '9'])('was not asked for at %s', (askedAt) => {
    const ref = { account: 'a', campaignId: 'cam_1', exportId: 'exp_1' }
    const snapshot = { body: bodySaying('pending'), state: 'pending', version: 'v', observedAt: 8 }
    const good = encodeUpdate(ref, { kind: 'status', snapshot: { ...snapshot, askedAt: 7 } })
    expect(decodeUpdate(good)).toBeDefined()
    expect(decodeUpdate(good.replace('"askedAt":7', `"askedAt":${askedAt}`))).toBeUndefined()
  })

  it('is not found in any other text, and nothing is thrown', () => {
    const fields = fc.constantFrom('ref', 'update', 'body', 'form')
    const spoilt = fc.tuple(anyRef, fields, fc.jsonValue()).map(([ref, field, value]) => {
      const good = encodeUpdate(ref, { kind: 'gone', code: 'export-expired', detail: 'over' })
      return JSON.stringify({ ...JSON.parse(good), [field]: value })
    })
    // Regression: a body that is no status was told to callers.
    const foreignBody = fc.tuple(anyRef, snapshot, fc.jsonValue()).map(([ref, status, value]) => {
      const body = Buffer.from(JSON.stringify(value))
      return encodeUpdate(ref, { kind: 'status', snapshot: { ...status, body } })
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), spoilt, foreignBody), (text) => {
        const heard = decodeUpdate(text)
        // An update without a body stays valid when a `body` field is added to it.
        if (heard !== undefined) expect(heard.update.kind).toBe('gone')
      }),
      { numRuns: 1_000 },
    )
  })
})
