import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  COMMENT,
  encodeEvent,
  encodeId,
  encodeLastRetry,
  encodeRetry,
  spread,
} from '../../../../src/http/events/sse.ts'
import { JUDGES } from '../../../helpers/sse-judges.ts'

/** Strings of characters and words that mean something in the format, mixed with any others. */
const hostile = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('\r', '\n', '\r\n', ':', ' ', '\0', '\uFEFF', '\u2028'),
      },
      { weight: 2, arbitrary: fc.constantFrom('data', 'event', 'id', 'retry', 'data: x', 'id: 7') },
      { weight: 2, arbitrary: fc.string({ unit: 'binary' }) },
      { weight: 1, arbitrary: fc.constantFrom('\uD800', '\uDC00', '😀', '\u0085', '\v', '\f') },
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''))

const field = hostile.map((text) => text.replaceAll(/[\r\n\0]/g, ''))

/** Cuts the bytes into pieces, also inside of a character. */
const inPieces = (text: string, cuts: readonly number[]): Uint8Array[] => {
  const bytes = Buffer.from(text)
  const at = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return at.map((end, index) => bytes.subarray(at[index - 1] ?? 0, end))
}

const cuts = fc.array(fc.nat(), { maxLength: 4 })
const event = fc.record({ event: field, data: hostile, id: fc.option(field, { nil: undefined }) })
const RUNS = { numRuns: 3_000 }

/** What a client must see: well-formed text, every line end as LF. */
const seen = (text: string): string => text.toWellFormed().replaceAll(/\r\n|\r/g, '\n')

const encode = ({ event, data, id }: { event: string; data: string; id: string | undefined }) =>
  encodeEvent({ event, data, ...(id !== undefined && { id }) })

describe.each(JUDGES)('events as $name reads them', ({ read }) => {
  it('are those that were encoded, and no other, whatever is in them', () => {
    const property = fc.property(fc.array(event, { maxLength: 4 }), cuts, (events, at) => {
      let lastEventId = ''
      const expected = events.map(({ event, data, id }) => {
        lastEventId = id === undefined ? lastEventId : seen(id)
        return { event: seen(event) || 'message', data: seen(data), lastEventId }
      })
      const wire = encodeLastRetry(1_234) + events.map(encode).join(COMMENT)
      const verdict = read(inPieces(wire, at))
      expect(verdict).toEqual({ events: expected, retryMs: 1_234 })
    })
    fc.assert(property, RUNS)
  })

  it('take an id that was sent before an event without one', () => {
    const property = fc.property(event, field, (one, id) => {
      const wire = encodeId(id) + encode({ ...one, id: undefined })
      const [first, ...rest] = read([Buffer.from(wire)]).events
      expect([first?.data, first?.lastEventId, rest]).toEqual([seen(one.data), seen(id), []])
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('are not made of a comment or a retry', () => {
    const verdict = read([Buffer.from(COMMENT + encodeLastRetry(7) + COMMENT)])
    expect(verdict).toEqual({ events: [], retryMs: 7 })
  })

  it('take a `retry` that is a line of an event, in front of it or within', () => {
    const end = encodeEvent({ event: 'end', data: 'x', retryMs: 8 })
    const early = read([Buffer.from(encodeRetry(7) + COMMENT + encodeId('v1') + end)])
    expect(early).toEqual({ events: [{ event: 'end', data: 'x', lastEventId: 'v1' }], retryMs: 8 })
    const plain = encodeEvent({ event: 'status', data: 'x' })
    expect(read([Buffer.from(encodeRetry(7) + COMMENT + plain)]).retryMs).toBe(7)
  })

  it('include one that is forged by hand, so that the judge would notice it', () => {
    const { events } = read([Buffer.from('data: 1\r\revent: evil\rdata: x\r\r')])
    expect(events.map(({ event }) => event)).toEqual(['message', 'evil'])
  })
})

describe('the encoder', () => {
  it.each(['\r', '\n', '\0', 'a\r\nb', 'a\nevent: evil'])(
    'refuses %j in a name or an id',
    (text) => {
      expect(() => encodeEvent({ event: text, data: '' })).toThrow(TypeError)
      expect(() => encodeEvent({ event: 'status', data: '', id: text })).toThrow(TypeError)
      expect(() => encodeId(text)).toThrow(TypeError)
    },
  )

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300])(
    'refuses a retry of %d, which browsers would ignore or treat as no pause',
    (ms) => {
      expect(() => encodeRetry(ms)).toThrow(RangeError)
      expect(() => encodeLastRetry(ms)).toThrow(RangeError)
    },
  )

  it('writes an event with one line of data as four lines', () => {
    const wire = encodeEvent({ event: 'status', data: '{"ok":true}', id: 'v1' })
    expect(wire).toBe('event: status\nid: v1\ndata: {"ok":true}\n\n')
  })
})

describe('a spread', () => {
  it('is a whole number within its bounds, and both bounds occur', () => {
    const drawn = new Set(Array.from({ length: 1_000 }, () => spread(3, 5)))
    expect([...drawn].sort()).toEqual([3, 4, 5])
  })
})
