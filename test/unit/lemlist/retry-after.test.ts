import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retryAfterMs } from '../../../src/lemlist/retry-after.ts'

/** 25 July 2024, 12:43:46 UTC. */
const NOW = Date.UTC(2024, 6, 25, 12, 43, 46)
const DATE = 'Thu, 25 Jul 2024 12:43:46 GMT'

describe('the time that lemlist asks for', () => {
  it.each([
    ['2', 2_000],
    [' 2 ', 2_000],
    ['1.5', 1_500],
    ['0', 1_000],
    ['0.001', 1_000],
    ['60', 60_000],
    ['61', 60_000],
    ['999999999', 60_000],
    [String(NOW / 1_000 + 5), 5_000],
    [String(NOW + 5_500), 5_500],
    [String(NOW / 1_000 - 5), 1_000],
    ['Thu, 25 Jul 2024 12:43:56 GMT', 10_000],
    ['Thursday, 25-Jul-24 12:43:56 GMT', 10_000],
    ['Thu Jul 25 2024 14:43:48 GMT+0200 (Central European Summer Time)', 2_000],
    ['Tue Feb 16 2021 09:02:42 GMT+0100 (Central European Standard Time)', 1_000],
    ['Thu, 25 Jul 2999 12:43:56 GMT', 60_000],
  ])('in Retry-After: %s is %i ms', (text, ms) => {
    expect(retryAfterMs({ 'retry-after': text, date: DATE }, 0)).toBe(ms)
  })

  it.each([
    '',
    ' ',
    '-1',
    '+1',
    'abc',
    '1e3',
    '0x10',
    '1.',
    '.5',
    '1, 2',
    '2 seconds',
    'Infinity',
    'NaN',
    '9999999999999999',
    'Thu, 99 Foo 2024',
    '2024-07-25',
  ])('is not read from %j', (text) => {
    expect(retryAfterMs({ 'retry-after': text }, NOW)).toBeUndefined()
  })

  it('is not read from two values, nor from none', () => {
    expect(retryAfterMs({ 'retry-after': ['2', '3'] }, NOW)).toBeUndefined()
    expect(retryAfterMs({}, NOW)).toBeUndefined()
  })

  it('comes from X-RateLimit-Reset when Retry-After cannot be used', () => {
    const reset = 'Thu Jul 25 2024 14:43:48 GMT+0200 (Central European Summer Time)'
    expect(retryAfterMs({ 'x-ratelimit-reset': reset, date: DATE }, 0)).toBe(2_000)
    expect(retryAfterMs({ 'retry-after': 'abc', 'x-ratelimit-reset': reset, date: DATE }, 0)).toBe(
      2_000,
    )
    expect(retryAfterMs({ 'retry-after': '7', 'x-ratelimit-reset': reset, date: DATE }, 0)).toBe(
      7_000,
    )
  })

  it.each([undefined, 'abc', ['a', 'b']])(
    'is counted by the clock of the gateway when lemlist’s Date is %j',
    (date) => {
      const headers = { 'retry-after': 'Thu, 25 Jul 2024 12:43:56 GMT', date }
      expect(retryAfterMs(headers, NOW)).toBe(10_000)
    },
  )

  it('is between a second and a minute, or not known, whatever lemlist sends', () => {
    const text = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.integer().map(String),
      fc.date({ noInvalidDate: true }).map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      fc.constantFrom('Thu', 'Thu, 25 Jul', '1e400', '9'.repeat(400)),
    )
    const value = fc.oneof(text, fc.array(text), fc.constant(undefined))
    const headers = fc.record({ 'retry-after': value, 'x-ratelimit-reset': value, date: value })
    fc.assert(
      fc.property(headers, fc.integer({ min: 0, max: 4e12 }), (sent, now) => {
        const ms = retryAfterMs(sent, now)
        return ms === undefined || (ms >= 1_000 && ms <= 60_000)
      }),
      { numRuns: 3_000 },
    )
  })
})
